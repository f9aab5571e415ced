"""Who is in the pictures?"""
