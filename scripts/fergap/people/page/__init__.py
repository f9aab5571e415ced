"""The page on which a person says who is in the pictures: the sample of faces, and the file that holds them."""
