"""The dashboard as static pages, and as mail: gather, analyse (pure), draw, publish."""
