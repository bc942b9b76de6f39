"""The rules that come with the product, with their messages: drafts to start from."""
