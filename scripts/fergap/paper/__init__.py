"""What do we tell the reader?"""
