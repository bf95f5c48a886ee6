"""Register campaigns and their tweets: from what a person pasted to ids that can be watched."""
