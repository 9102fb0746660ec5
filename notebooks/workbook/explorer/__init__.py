"""Live search in JupyterLab: several ways side by side."""
