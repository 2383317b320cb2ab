"""Which formats of preference rows are read and written; each module holds one format, or one family of them."""
