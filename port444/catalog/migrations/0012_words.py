"""What each category is for, parts of three of them, and two ways to say one thing: what the search begins with. Staff change the words."""

from django.db import migrations

DESCRIPTIONS = {
    "web-development": "Sites, shops and the code behind them: new ones, changes, and cures for slow pages.",
    "mobile-apps": "Apps for iOS and Android, from the first screen to the stores.",
    "data-and-machine-learning": "Data collected, cleaned, shown and learned from.",
    "smart-contracts": "Contracts written, tested and read by a second pair of eyes before money depends on them.",
    "design": "Logos, interfaces, drawings and everything that has to look right.",
    "video-and-animation": "Cuts, explainers and moving pictures.",
    "writing": "Texts that people read to the end: sites, articles, manuals.",
    "translation": "Your words in another language, by somebody who lives in it.",
    "marketing-and-seo": "Being found, and being remembered: search, mail and campaigns.",
    "devops-and-cloud": "Servers, pipelines and databases that run by themselves.",
    "audio-and-music": "Voices, mixes and music made for you.",
    "business-and-legal": "Plans, books, contracts and advice.",
}
PARTS = {
    "web-development": (
        ("online-shops", "Online shops", "shopping-bag", "Shops on Shopify, WooCommerce or made to measure."),
        ("wordpress-sites", "WordPress sites", "globe", "Themes, plugins and rescues for WordPress."),
        ("scraping-and-automation", "Scraping and automation", "refresh-cw", "Data from the web, and work that does itself."),
    ),
    "design": (
        ("logos-and-brands", "Logos and brands", "palette", "A mark, and the rules that keep it the same everywhere."),
        ("interface-design", "Interface design", "smartphone", "Screens for the web and for phones, ready to be built."),
        ("illustration", "Illustration", "image", "Drawings for books, sites and products."),
    ),
    "marketing-and-seo": (
        ("search-engines", "Search engines", "search", "Audits, content plans and repairs, so that people find you."),
        ("mail-and-social", "Mail and social media", "megaphone", "Newsletters, posts and the plans behind them."),
    ),
}
SYNONYMS = (
    (None, "wordpress", "wp"),
    (None, "javascript", "js"),
    (None, "typescript", "ts"),
    (None, "node.js", "nodejs"),
    (None, "react.js", "react"),
    (None, "postgres", "postgresql"),
    (None, "kubernetes", "k8s"),
    (None, "e-commerce", "online shop"),
    (None, "ecommerce", "online shop"),
    (None, "shop", "store"),
    (None, "website", "site"),
    (None, "web page", "website"),
    (None, "homepage", "landing page"),
    (None, "app", "application"),
    (None, "fix", "repair"),
    (None, "bug", "error"),
    (None, "fast", "speed"),
    (None, "cheap", "affordable"),
    (None, "ai", "artificial intelligence"),
    (None, "machine learning", "ml"),
    (None, "user interface", "ui"),
    (None, "seo", "search engine optimisation"),
    (None, "search engine optimization", "search engine optimisation"),
    (None, "newsletter", "mail campaign"),
    ("design", "logo", "brand mark"),
    ("design", "logotype", "logo"),
    ("design", "branding", "brand identity"),
    ("design", "drawing", "illustration"),
    ("web-development", "scraper", "crawler"),
    ("web-development", "scraping", "crawling"),
    ("data-and-machine-learning", "scraper", "crawler"),
    ("data-and-machine-learning", "dashboard", "report"),
    ("data-and-machine-learning", "chart", "visualisation"),
    ("smart-contracts", "audit", "review"),
    ("smart-contracts", "smart contract", "solidity"),
    ("video-and-animation", "editing", "cutting"),
    ("video-and-animation", "explainer", "product film"),
    ("writing", "copywriting", "copy"),
    ("writing", "blog post", "article"),
    ("translation", "translate", "localise"),
    ("devops-and-cloud", "ci", "pipeline"),
    ("devops-and-cloud", "hosting", "server"),
    ("audio-and-music", "voice over", "narration"),
    ("audio-and-music", "voiceover", "voice over"),
    ("business-and-legal", "contract", "agreement"),
    ("business-and-legal", "bookkeeping", "accounting"),
)


def write(apps, schema_editor):
    category, synonym = apps.get_model("catalog", "Category"), apps.get_model("catalog", "Synonym")
    for slug, text in DESCRIPTIONS.items():
        category.objects.filter(slug=slug).update(description=text)
    by_slug = {row.slug: row for row in category.objects.all()}
    for slug, parts in PARTS.items():
        if parent := by_slug.get(slug):
            for place, (part, name, icon, text) in enumerate(parts):
                values = {"name": name, "icon": icon, "description": text, "parent": parent, "position": place}
                category.objects.get_or_create(slug=part, defaults=values)
    for slug, word, means in SYNONYMS:
        if slug is None or slug in by_slug:
            synonym.objects.get_or_create(word=word, means=means, category=by_slug[slug] if slug else None)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0011_listings")]
    operations = [migrations.RunPython(write, migrations.RunPython.noop)]
