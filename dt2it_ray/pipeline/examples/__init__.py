"""Which public data sets of others show how outside data is used, each by the file that writes its rows."""
