"""What a row is: schemas, ids, images, chat messages, outside formats and the embedded world."""
