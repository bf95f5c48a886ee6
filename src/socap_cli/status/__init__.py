"""What `socap status` tells: gathered from the store like a report."""
