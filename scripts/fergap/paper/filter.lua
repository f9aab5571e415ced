-- Number sections, figures, tables and equations, resolve references to them, and write callouts and tabsets plainly.
-- Runs before citeproc, which would take @fig-x for a citation. One numbering serves HTML and PDF: typst's is off.
-- Every problem is one line "fergap: …"; the caller finds the line of the document.

local typst = FORMAT:match("typst") ~= nil
local html = FORMAT:match("html") ~= nil
local KIND = { fig = "Figure", tbl = "Table", eq = "Equation", sec = "Section" }
local CALLOUTS = { note = "Note", tip = "Tip", warning = "Warning", important = "Important", caution = "Caution" }
local numbers = {} -- id -> number as text
local LONGEST_WHOLE = 14 -- rows of a table that stays on one page
local NBSP = "\u{a0}"

local function fail(message)
  error("fergap: " .. message .. " :end", 0)
end

local function prefix_of(id)
  local prefix = id:match("^(%a+)%-")
  return prefix and KIND[prefix] and prefix
end

local function define(id, number)
  if numbers[id] then
    fail("the id '" .. id .. "' is defined twice")
  end
  numbers[id] = number
end

local function quoted(text)
  return '"' .. text:gsub("\\", "\\\\"):gsub('"', '\\"') .. '"'
end

local function raw(text)
  return pandoc.RawBlock("typst", text)
end

local function titled(id, number, caption)
  local inlines = pandoc.Inlines({ pandoc.Str(KIND[prefix_of(id)] .. NBSP .. number .. ":"), pandoc.Space() })
  inlines:extend(caption)
  return inlines
end

-- first pass: callouts and tabsets become plain structures; anything that the two engines show differently is refused

local function callout(div, name)
  for key in pairs(div.attributes) do
    if key ~= "title" then
      fail("the callout's attribute '" .. key .. "' is not supported")
    end
  end
  local content = div.content
  local title = pandoc.Inlines({ pandoc.Str(CALLOUTS[name]) })
  if div.attributes.title then
    title = pandoc.utils.blocks_to_inlines(pandoc.read(div.attributes.title, "markdown").blocks)
  elseif content[1] and content[1].t == "Header" then
    title = content[1].content
    content:remove(1)
  end
  if typst then
    local out = pandoc.Blocks({ raw("#callout(" .. quoted(name) .. ")["), pandoc.Plain(title), raw("][") })
    out:extend(content)
    out:insert(raw("]"))
    return out
  end
  content:insert(1, pandoc.Div({ pandoc.Para(title) }, pandoc.Attr("", { "callout-title" })))
  return pandoc.Div(content, pandoc.Attr(div.identifier, { "callout", "callout-" .. name }, { role = "note" }))
end

local function tabset(div)
  for _, block in ipairs(div.content) do
    if block.t == "Header" then
      if block.level ~= 4 then
        fail("a tab's heading must have level 4: '" .. pandoc.utils.stringify(block) .. "'")
      end
      block.classes = { "unnumbered", "unlisted" }
    end
  end
  return div.content
end

-- a float written as ::: {#fig-x} or ::: {#tbl-x}: content, then the caption as last paragraph
local function float(div, prefix)
  local content = div.content
  local caption = pandoc.Inlines({})
  if #content > 1 and content[#content].t == "Para" then
    caption = content[#content].content
    content:remove(#content)
  end
  if #content ~= 1 then
    fail("::: {#" .. div.identifier .. "} must hold one figure or table and its caption")
  end
  local block = content[1]
  if prefix == "tbl" then
    if block.t ~= "Table" then
      fail("::: {#" .. div.identifier .. "} holds no table")
    end
    block.identifier = div.identifier
    if #caption > 0 then
      block.caption = { long = { pandoc.Plain(caption) } }
    end
    return block
  end
  local image
  pandoc.Blocks({ block }):walk({
    Image = function(found)
      if image then
        fail("::: {#" .. div.identifier .. "} holds more than one picture")
      end
      image = found
    end,
  })
  if not image then
    fail("::: {#" .. div.identifier .. "} holds no picture")
  end
  image.attributes["fig-alt"] = image.attributes["fig-alt"] or div.attributes["fig-alt"]
  return pandoc.Figure({ pandoc.Plain({ image }) }, { long = { pandoc.Plain(caption) } }, div.identifier)
end

local plain = {
  RawBlock = function(element)
    if element.format == "html" and element.text:match("^%s*<!%-%-.*%-%->%s*$") then
      return {}
    end
    fail("raw " .. element.format .. " is not supported: " .. element.text:sub(1, 60):gsub("\n", " "))
  end,
  RawInline = function(element)
    if element.format == "html" and element.text:match("^<!%-%-") then
      return {}
    end
    fail("raw " .. element.format .. " is not supported: " .. element.text:sub(1, 60))
  end,
}

local structure = {
  Div = function(div)
    local prefix = prefix_of(div.identifier)
    if prefix == "fig" or prefix == "tbl" then
      return float(div, prefix)
    end
    for _, class in ipairs(div.classes) do
      local name = class:match("^callout%-(%a+)$")
      if name and CALLOUTS[name] then
        return callout(div, name)
      elseif class == "panel-tabset" then
        return tabset(div)
      end
      fail("the block class '" .. class .. "' is not supported")
    end
    if div.identifier == "refs" and typst then
      return { raw("#references["), div, raw("]") }
    end
  end,
}

-- second pass: numbers in document order

local counts = { fig = 0, tbl = 0, eq = 0 }
local levels = {}

local function count(prefix, id)
  counts[prefix] = counts[prefix] + 1
  define(id, tostring(counts[prefix]))
  return numbers[id]
end

local function heading(header)
  local id = header.identifier
  if header.classes:includes("unnumbered") then
    if prefix_of(id) then
      define(id, false)
    end
    return nil
  end
  for level = 1, header.level do
    levels[level] = levels[level] or 0
  end
  levels[header.level] = levels[header.level] + 1
  for level = header.level + 1, #levels do
    levels[level] = nil
  end
  if prefix_of(id) then
    define(id, table.concat(levels, ".", 1, header.level))
  end
end

local function with_alt(image, required)
  local alt = image.attributes["fig-alt"]
  image.attributes["fig-alt"] = nil
  if required and not alt then
    fail("the figure '" .. required .. "' has no fig-alt (a text for readers who cannot see it)")
  end
  image.attributes.alt = alt or image.attributes.alt or pandoc.utils.stringify(image.caption)
  return image
end

local function figure(element)
  local id = element.identifier
  local known = prefix_of(id) == "fig"
  element = element:walk({
    Image = function(image)
      return with_alt(image, known and id)
    end,
  })
  if known then
    local caption = pandoc.utils.blocks_to_inlines(element.caption.long)
    element.caption = { long = { pandoc.Plain(titled(id, count("fig", id), caption)) } }
  end
  return element, false
end

local function tabular(element)
  local id = element.identifier
  for _, column in ipairs(element.colspecs) do
    if column[1] == "AlignDefault" then
      column[1] = "AlignLeft" -- a table stands centred in typst, and its cells would be too
    end
  end
  if prefix_of(id) ~= "tbl" then
    if html then
      element = pandoc.Div({ element }, pandoc.Attr("", { "table" }))
    end
    return element, false
  end
  local number = count("tbl", id)
  local caption = titled(id, number, pandoc.utils.blocks_to_inlines(element.caption.long))
  if typst then
    element.caption = { long = { pandoc.Plain(caption) } }
    local rows = 0
    for _, body in ipairs(element.bodies) do
      rows = rows + #body.body
    end
    if rows > LONGEST_WHOLE then
      return element, false
    end
    return { raw("#whole["), element, raw("]") }, false
  end
  element.identifier = ""
  element.caption = { long = {} }
  local attributes = { { "role", "region" }, { "tabindex", "0" }, { "aria-label", "Table " .. number } } -- in order
  local scrolling = pandoc.Div({ element }, pandoc.Attr("", { "table" }, attributes))
  return pandoc.Figure({ scrolling }, { long = { pandoc.Plain(caption) } }, pandoc.Attr(id, { "tbl" })), false
end

-- $$ … $$ {#eq-x} reads as display math, a space and a word
local function equations(inlines)
  local out = pandoc.Inlines({})
  local i = 1
  while i <= #inlines do
    local math, space, word = inlines[i], inlines[i + 1], inlines[i + 2]
    local id
    if math.t == "Math" and math.mathtype == "DisplayMath" then
      if word and word.t == "Str" and (space.t == "Space" or space.t == "SoftBreak") then
        id = word.text:match("^{#(eq%-[%w_-]+)}$")
      elseif space and space.t == "Str" then
        id = space.text:match("^{#(eq%-[%w_-]+)}$")
        word = nil
      end
    end
    if id then
      local number = "(" .. count("eq", id) .. ")"
      if typst then
        local body = pandoc.write(pandoc.Pandoc({ pandoc.Plain({ math }) }), "typst"):gsub("%s+$", "")
        local call = "#math.equation(block: true, numbering: (..n) => " .. quoted(number) .. ", %s) <%s>"
        out:insert(pandoc.RawInline("typst", call:format(body:gsub("%%", "%%%%"), id)))
      else
        local shown = pandoc.Span({ pandoc.Str(number) }, pandoc.Attr("", { "equation-number" }))
        out:insert(pandoc.Span({ math, shown }, pandoc.Attr(id, { "equation" })))
      end
      i = i + (word and 3 or 2)
    else
      out:insert(math)
      i = i + 1
    end
  end
  return out
end

local numbering = {
  traverse = "topdown",
  Header = heading,
  Figure = figure,
  Table = tabular,
  Image = function(image)
    return with_alt(image, false)
  end,
  Inlines = equations,
}

-- third pass: references become links

local function reference(cite)
  local own = 0
  for _, citation in ipairs(cite.citations) do
    if prefix_of(citation.id) then
      own = own + 1
    end
  end
  if own == 0 then
    return nil
  end
  local citation = cite.citations[1]
  local id = citation.id
  local bare = #citation.prefix == 0 and #citation.suffix == 0
  if #cite.citations > 1 or not bare or citation.mode == "NormalCitation" then
    fail("write @" .. id .. " without brackets")
  end
  if numbers[id] == false then
    fail("@" .. id .. " refers to an unnumbered heading")
  elseif not numbers[id] then
    fail("unknown reference @" .. id)
  end
  local text = KIND[prefix_of(id)] .. NBSP .. numbers[id]
  if citation.mode == "SuppressAuthor" then
    text = numbers[id]
  end
  return pandoc.Link({ pandoc.Str(text) }, "#" .. id, "", pandoc.Attr("", html and { "reference" } or {}))
end

-- last: pandoc's typst writer would drop the alternative text

local function typst_image(image)
  local words = { quoted(image.src), "alt: " .. quoted(image.attributes.alt) }
  for _, side in ipairs({ "width", "height" }) do
    local value = image.attributes[side]
    if value then
      if not value:match("^[%d.]+%%$") and not value:match("^[%d.]+[a-z]+$") or value:match("px$") then
        fail("a picture's " .. side .. " must be a percentage or a length such as 8cm: " .. value)
      end
      words[#words + 1] = side .. ": " .. value
    end
  end
  return pandoc.RawInline("typst", "#image(" .. table.concat(words, ", ") .. ")")
end

function Pandoc(doc)
  doc = doc:walk(plain)
  doc = doc:walk(structure)
  doc.blocks = doc.blocks:walk(numbering)
  doc = doc:walk({ Cite = reference })
  if typst then
    doc = doc:walk({ Image = typst_image })
  end
  return doc
end
