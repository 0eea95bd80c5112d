"""Web hooks: signed calls from outside become events of the business."""
