"""What the tests share: real servers, and waiting for what they do."""
