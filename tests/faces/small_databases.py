"""Small data sets in the layouts of their owners, with pictures that the tests draw."""

from pathlib import Path

import numpy as np
from PIL import Image

RAFDB = ["train_00001", "train_00002", "train_00003", "test_0001", "test_0002", "test_0003", "test_0004"]
CELEBA_ATTRIBUTES = ["5_o_Clock_Shadow", "Male", "Smiling", "Wavy_Hair", "Young"]


def noise(seed: int, height: int = 48, width: int = 48) -> np.ndarray:
    """A picture that is like no other, in 8-bit colour."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype="uint8")


def save(pixels: np.ndarray, path: Path) -> None:
    """Write a picture in a form without loss, whatever its name says: Pillow goes by the content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG")


def put(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_rafdb(folder: Path, part: str = "basic", codes: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)) -> None:
    """Write RAF-DB: aligned pictures of noise, original ones with a white face of 20 × 10 pixels at (30, 40)."""
    base = folder / part
    put("".join(f"{n}.jpg {c}\n" for n, c in zip(RAFDB, codes, strict=True)), base / "EmoLabel/list_patition_label.txt")
    for i, name in enumerate(RAFDB):
        save(noise(i, 100, 100), base / f"Image/aligned/{name}_aligned.jpg")
        original = np.zeros((90, 120, 3), "uint8")
        original[40:50, 30:50] = 100 + i
        save(original, base / f"Image/original/{name}.jpg")
        put("30.000000 40.000000 50.000000 50.000000 ", base / f"Annotation/boundingbox/{name}_boundingbox.txt")
        landmarks = "".join(f"{10 * k}.5\t{7 * k}.25\n" for k in range(1, 6))
        put(f"{landmarks}{i % 3}\n{i % 3}\n{i % 5}\n", base / f"Annotation/manual/{name}_manu_attri.txt")


def write_expw(folder: Path) -> None:
    """Write ExpW: four pictures of two faces each, one bright and one dark, in lines of seven expressions and one."""
    lines = []
    for i in range(4):
        name = f"awed_asian_{i}.jpg"
        picture = np.full((60, 80, 3), 120, "uint8")
        picture[5:25, 10:40], picture[30:55, 50:70] = 250 - i, 10 + i
        save(picture, folder / "image/origin" / name)
        lines += [f"{name} 0 5 10 40 25 57.8 {2 * i % 7}", f"{name} 1 30 50 70 55 12.25 {(2 * i + 1) % 7}"]
    put("\n".join(lines) + "\n", folder / "label/label.lst")


def write_affectnet(folder: Path) -> None:
    """Write AffectNet's two lists: every one of the eleven numbers in each, the face at (10, 20), 16 × 12 pixels."""
    head = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    for k, part in enumerate(("training", "validation")):
        lines = [head]
        for code in range(11):
            name = f"{code}/{part}{code}.jpg"
            picture = np.zeros((50, 60, 3), "uint8")
            picture[20:32, 10:26] = 100 + 20 * k + code
            save(picture, folder / "Manually_Annotated/Manually_Annotated_Images" / name)
            lines.append(f"{name},10,20,16,12,1.5;2.5;3.5;4.5,{code},-0.1,0.25")
        put("\n".join(lines) + "\n", folder / f"Manually_Annotated_file_lists/{part}.csv")


def write_affectnet_arrays(folder: Path) -> None:
    """Write AffectNet's newer distribution: cut out faces, each label an array of its own, as text or as a number."""
    for k, part in enumerate(("train_set", "val_set")):
        (folder / part / "annotations").mkdir(parents=True)
        for code in range(8):
            save(noise(10 * k + code), folder / part / f"images/{code}.jpg")
            np.save(folder / part / f"annotations/{code}_exp.npy", np.array(str(code) if code % 2 else code))
            np.save(folder / part / f"annotations/{code}_val.npy", np.array("0.5"))


def write_celeba(folder: Path, flat: bool = False) -> None:
    """Write CelebA: six pictures whose middle square is bright, in the owners' folders or side by side."""
    rows = [
        f"{i + 1:06d}.jpg  1 {1 - 2 * (i % 2):2d} {1 - 2 * (i // 3):2d} -1 {-1 + 2 * (i % 3 == 0):2d}" for i in range(6)
    ]
    attributes = "\n".join([str(len(rows)), " ".join(CELEBA_ATTRIBUTES) + " ", *rows]) + "\n"
    put(attributes, folder / ("" if flat else "Anno") / "list_attr_celeba.txt")
    parts = "".join(f"{i + 1:06d}.jpg {i // 2}\n" for i in range(6))
    put(parts, folder / ("" if flat else "Eval") / "list_eval_partition.txt")
    for i in range(6):
        picture = np.zeros((218, 178, 3), "uint8")
        picture[20:198] = 100 + i
        save(picture, folder / ("" if flat else "Img") / f"img_align_celeba/{i + 1:06d}.jpg")
