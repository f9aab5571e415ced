"""Which pictures, with which expression?"""
