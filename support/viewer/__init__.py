"""Looking at the site as somebody sees it: which pages, which tables, by which token, behind which guard."""
