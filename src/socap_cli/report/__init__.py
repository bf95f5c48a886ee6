"""The dashboard as static pages: gather, analyse (pure), draw, render."""
