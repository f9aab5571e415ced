"""What does each arm's model say about a face that it never saw?"""
