"""Who is important, and why: lists read in, followings read from the provider, scores kept up to date."""
