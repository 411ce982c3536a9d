"""Who lives in the demo: people, what they sell, and what they say. Only words and numbers; `story` makes it happen."""

from __future__ import annotations

from dataclasses import dataclass, field

PASSWORD = "demo-harbour-444"
IBAN = "DE89370400440532013000"  # the example of the IBAN registry

CLIENT = "jonas@demo.port444.example"
BUILDER = "anaya@demo.port444.example"
STAFF = "olu@demo.port444.example"
SENIOR = "ines@demo.port444.example"
AGENT = "mara@demo.port444.example"

Pack = tuple[str, str, int, int, tuple[str, ...]]  # name, price, days, revisions, deliverables


@dataclass(frozen=True)
class Offer:
    """A service with its packages, from small to large."""

    category: str
    title: str
    summary: str
    description: str
    tags: tuple[str, ...]
    packs: tuple[Pack, ...]
    questions: tuple[tuple[str, str, bool], ...] = ()  # label, kind, required


@dataclass(frozen=True)
class Seller:
    """A builder: the person, the profile, call prices for 15, 30 and 60 minutes, and hours as (weekdays, start, end)."""

    name: str
    zone: str
    city: str
    headline: str
    about: str
    skills: tuple[str, ...]
    languages: tuple[str, ...]
    offers: tuple[Offer, ...]
    calls: tuple[str, str, str] | None = None
    hours: tuple[tuple[tuple[int, ...], int, int], ...] = ()
    email: str = ""


@dataclass(frozen=True)
class Buyer:
    name: str
    zone: str
    email: str = ""
    hopes: tuple[str, ...] = field(default=())


WEEK = (0, 1, 2, 3, 4)

PERFORMANCE = (
    ("Where is the code, and how do I run it?", "long", True),
    ("Which pages are slow, and how slow?", "long", True),
    ("How many rows are in the three largest tables?", "text", True),
    ("A dump of the query log, if you have one", "file", False),
)

SELLERS: tuple[Seller, ...] = (
    Seller(
        "Anaya Krishnan",
        "Asia/Kolkata",
        "Bengaluru",
        "Django and Postgres performance. Slow pages, slow queries, slow deploys.",
        "Ten years of Django, the last six on nothing but speed. I read query plans the way others read novels. You get numbers before and "
        "after, a branch that your team can review, and a note on what to watch next.",
        ("Django", "PostgreSQL", "Performance", "Python", "Caching"),
        ("English", "Hindi"),
        (
            Offer(
                "web-development",
                "Make slow Django pages fast",
                "I find out why they are slow, fix it, and prove it with timings before and after.",
                "Most slow pages have two or three causes, and they are rarely the ones that people suspect. I profile the page on data of your "
                "size, mend the queries, and leave a test that fails when it gets slow again.\n\nYou keep your architecture. I do not add a "
                "cache where a query can be made right.",
                ("django", "postgres", "performance"),
                (
                    ("One slow page", "80.00", 3, 1, ("One page profiled", "Fix as a branch", "Timings before and after")),
                    (
                        "Five slow pages",
                        "180.00",
                        7,
                        2,
                        ("Five pages profiled", "Fixes as one branch", "Timings before and after", "A test for each page"),
                    ),
                    (
                        "The whole site",
                        "640.00",
                        21,
                        3,
                        ("Up to 25 pages", "Slow query report", "Fixes as branches", "A budget that CI checks", "One hour of questions"),
                    ),
                ),
                PERFORMANCE,
            ),
            Offer(
                "devops-and-cloud",
                "Review your PostgreSQL before it hurts",
                "Indexes, vacuum, settings, backups: a report with what to do first.",
                "I look at your database with read-only access and write down what will hurt in the next year, in order, with the commands.",
                ("postgres", "review", "backup"),
                (
                    ("Report", "150.00", 4, 1, ("Report of 6 to 10 pages", "Ten things in order")),
                    ("Report and repair", "420.00", 10, 2, ("Report", "The first five things done", "Backup tried by a restore")),
                ),
                (
                    ("How can I reach the database, read-only?", "long", True),
                    ("When is it quiet?", "text", False),
                    ("When do you need the report?", "date", False),
                ),
            ),
        ),
        ("35.00", "60.00", "110.00"),
        (((0, 1, 2, 3, 4), 13 * 60, 20 * 60),),
        BUILDER,
    ),
    Seller(
        "Mateo Ibarra",
        "America/Bogota",
        "Medellin",
        "Mobile apps in Flutter that feel at home on both phones.",
        "I build small, calm apps with offline data that does not lose anything. Before that I wrote embedded code for buses, which taught me to distrust networks.",
        ("Flutter", "Dart", "iOS", "Android", "Offline sync"),
        ("Spanish", "English"),
        (
            Offer(
                "mobile-apps",
                "Build a Flutter app from your Figma file",
                "Screens, navigation, state and tests, ready for both stores.",
                "Send the Figma file and the API, if there is one. You get a project that your own developers would be glad to take over: one state library, no magic, tests on what matters.",
                ("flutter", "ios", "android", "figma"),
                (
                    ("Three screens", "390.00", 10, 2, ("Three screens", "Navigation", "Source code")),
                    ("Ten screens", "1150.00", 28, 3, ("Ten screens", "API client", "Widget tests", "Source code")),
                    ("Ready for the stores", "2400.00", 45, 3, ("Up to 18 screens", "Offline data", "Store listings", "Crash reports set up")),
                ),
                (("Link to the Figma file", "text", True), ("Is there an API? Where is it described?", "long", False)),
            ),
            Offer(
                "mobile-apps",
                "Find out why your app loses data offline",
                "A diagnosis with a test that shows the loss, and a fix if it is small.",
                "Data loss is nearly always an ordering problem. I write a test that loses data on purpose, so that everybody can see it, and then mend it.",
                ("offline", "sync", "bugs"),
                (("Diagnosis", "220.00", 5, 1, ("Failing test", "Explanation", "Estimate of the repair")),),
            ),
        ),
        ("30.00", "55.00", "95.00"),
        (((0, 1, 2, 3), 9 * 60, 12 * 60), ((0, 1, 2, 3), 14 * 60, 17 * 60)),
    ),
    Seller(
        "Hanne Lindqvist",
        "Europe/Stockholm",
        "Gothenburg",
        "Identities and small sites for people who make things.",
        "Graphic designer with a printer's eye. I like few colours, good type and files that open in twenty years.",
        ("Branding", "Typography", "Figma", "Print"),
        ("Swedish", "English", "German"),
        (
            Offer(
                "design",
                "Design a logo and a small identity",
                "A mark, its colours, its type, and a page that says how to use them.",
                "We start with what you make and whom you make it for. You see three directions in black and white first; colour comes when the form is right.",
                ("logo", "branding", "identity"),
                (
                    ("Mark only", "240.00", 7, 2, ("Logo as SVG and PDF", "Black and white")),
                    ("Small identity", "620.00", 14, 3, ("Logo", "Colours and type", "Card and letterhead", "One-page guide")),
                ),
                (("What do you make, and for whom?", "long", True), ("Three marks you like, and why", "long", False)),
            ),
        ),
        None,
    ),
    Seller(
        "Tunde Bakare",
        "Africa/Lagos",
        "Lagos",
        "Smart contract reviews by somebody who writes the exploit first.",
        "I review Solidity and Vyper contracts. Every finding comes with a test that steals the money, so there is nothing to argue about.",
        ("Solidity", "Vyper", "Security", "Foundry"),
        ("English", "Yoruba"),
        (
            Offer(
                "smart-contracts",
                "Review a smart contract before it holds money",
                "Findings with a failing test each, and a second look after the repair.",
                "Up to 600 lines in the middle package. I read everything, write invariants, fuzz them, and report in plain words with severity.",
                ("solidity", "vyper", "audit", "security"),
                (
                    ("Up to 200 lines", "450.00", 5, 1, ("Report", "A failing test for each finding")),
                    ("Up to 600 lines", "1250.00", 10, 2, ("Report", "Tests", "Invariants for a fuzzer", "Second look")),
                ),
                (("Repository and commit", "text", True), ("What must never happen?", "long", True)),
            ),
        ),
        ("50.00", "90.00", "160.00"),
        (((1, 3), 10 * 60, 16 * 60),),
    ),
    Seller(
        "Mei-Lin Zhao",
        "Asia/Singapore",
        "Singapore",
        "Forecasts and small models that survive contact with Monday.",
        "Data scientist, formerly in logistics. I prefer a boring model that is retrained each night to a brilliant one that is not.",
        ("Python", "Forecasting", "Pandas", "scikit-learn"),
        ("English", "Mandarin"),
        (
            Offer(
                "data-and-machine-learning",
                "Forecast your demand from the data you have",
                "A model with honest error bars, and a script that runs each night.",
                "Send two years of history. You get a forecast beside a naive baseline, so that you can see what the model is worth, and a script that your server can run.",
                ("forecast", "python", "time series"),
                (
                    ("One series", "190.00", 5, 1, ("Notebook", "Error against a baseline")),
                    ("Up to 200 series", "780.00", 14, 2, ("Script", "Nightly run", "Report by mail")),
                ),
                (("A sample of the data", "file", False), ("What decision hangs on the forecast?", "long", True)),
            ),
            Offer(
                "data-and-machine-learning",
                "Clean a messy spreadsheet into a database",
                "Names, dates and duplicates put right, with a log of every change.",
                "I turn the file that everybody fears into tables that can be trusted. Every change is written down and can be undone.",
                ("excel", "cleaning", "sql"),
                (
                    ("Up to 5,000 rows", "70.00", 3, 1, ("Clean CSV", "Log of changes")),
                    ("Up to 100,000 rows", "260.00", 7, 2, ("PostgreSQL dump", "Log of changes", "Import script")),
                ),
            ),
        ),
        ("40.00", "70.00", "120.00"),
        ((WEEK, 9 * 60, 13 * 60),),
    ),
    Seller(
        "Isla MacLeod",
        "Europe/London",
        "Glasgow",
        "Technical writing that engineers read to the end.",
        "I was a nurse, then a developer, then a writer. I interview your team, break your product, and write what I wish had been there.",
        ("Technical writing", "API docs", "Editing"),
        ("English",),
        (
            Offer(
                "writing",
                "Write the getting-started guide of your product",
                "From nothing to the first success in ten minutes, tried by a stranger.",
                "I follow your product as a newcomer and note every stumble. The guide is tried by somebody who has never seen it before you get it.",
                ("documentation", "guide", "editing"),
                (
                    ("One guide", "210.00", 6, 2, ("Guide of up to 1,500 words", "List of stumbles")),
                    ("Guide and reference", "690.00", 16, 2, ("Guide", "API reference for 20 endpoints", "Style sheet")),
                ),
                (("Where can I try the product?", "text", True), ("Who will read this?", "long", True)),
            ),
        ),
        ("25.00", "45.00", "80.00"),
        (((0, 2, 4), 9 * 60 + 30, 12 * 60),),
    ),
    Seller(
        "Rafael Moreira",
        "America/Sao_Paulo",
        "Sao Paulo",
        "Short product films, cut tight and captioned.",
        "Editor for twelve years. I cut for people who watch without sound on a bus.",
        ("Editing", "Captions", "Motion graphics"),
        ("Portuguese", "English", "Spanish"),
        (
            Offer(
                "video-and-animation",
                "Edit a product film of up to two minutes",
                "Cut, colour, sound and captions, in three formats.",
                "Send your footage or screen recordings. You get a rough cut in three days and a film that works without sound.",
                ("video", "captions", "product"),
                (
                    ("30 seconds", "130.00", 4, 2, ("One film of 30 s", "Captions")),
                    ("Two minutes", "340.00", 8, 3, ("One film of 2 min", "Captions in two languages", "Three formats")),
                ),
                (("Link to the footage", "text", True),),
            ),
        ),
    ),
    Seller(
        "Priya Nair",
        "Asia/Kathmandu",
        "Kathmandu",
        "Accessible front ends without a framework, or with yours.",
        "I fix what screen readers trip over and leave the look as it is. Former teacher, so the report can be understood.",
        ("HTML", "CSS", "Accessibility", "htmx"),
        ("English", "Nepali", "Hindi"),
        (
            Offer(
                "web-development",
                "Make your site pass WCAG 2.2 AA",
                "Tested by keyboard, screen reader and machine; repaired in your templates.",
                "Machines find a third of the problems. I find the rest by using your site with the keyboard and two screen readers, and I mend them in your code.",
                ("accessibility", "wcag", "html"),
                (
                    ("Report", "160.00", 5, 1, ("Report of one journey", "Order of repair")),
                    ("Report and repair", "520.00", 12, 2, ("Report", "Repairs as a branch", "Second test")),
                ),
                (("Address of the site", "text", True), ("Which journey matters most?", "long", True)),
            ),
            Offer(
                "design",
                "Turn your design into plain, fast HTML and CSS",
                "One stylesheet, light and dark, no build step.",
                "I port designs to templates with as little code as the design allows. Forms work without script.",
                ("css", "html", "templates"),
                (
                    ("One page", "95.00", 3, 2, ("One page", "Light and dark")),
                    ("Five pages", "380.00", 9, 2, ("Five pages", "Shared parts", "Light and dark")),
                ),
            ),
        ),
        ("20.00", "35.00", "60.00"),
        ((WEEK, 10 * 60, 12 * 60), ((1, 3), 15 * 60, 18 * 60)),
    ),
    Seller(
        "Karim Haddad",
        "Asia/Beirut",
        "Beirut",
        "Arabic, French and English, for software and for people.",
        "Translator of interfaces. I ask what the button does before I name it.",
        ("Arabic", "French", "Localization"),
        ("Arabic", "French", "English"),
        (
            Offer(
                "translation",
                "Translate your interface into Arabic or French",
                "Strings with their context, right-to-left checked in the product.",
                "I work in your gettext or JSON files and look at every screen afterwards, because a good sentence in the wrong place is still wrong.",
                ("arabic", "french", "localization"),
                (
                    ("Up to 500 words", "60.00", 3, 1, ("Translated file",)),
                    ("Up to 4,000 words", "380.00", 9, 2, ("Translated file", "Glossary", "Every screen checked")),
                ),
                (("The file to translate", "file", True), ("Which language?", "text", True)),
            ),
        ),
    ),
    Seller(
        "Zofia Wrona",
        "Europe/Warsaw",
        "Krakow",
        "Search traffic without tricks, measured every week.",
        "I do not promise first place. I promise to tell you which three pages are worth your time.",
        ("SEO", "Analytics", "Content"),
        ("Polish", "English"),
        (
            Offer(
                "marketing-and-seo",
                "Find out why your pages are not found",
                "A crawl, a list of causes, and texts for the three pages that matter.",
                "I look at your site the way a crawler does, then the way a person does. The list is short and in order.",
                ("seo", "audit", "content"),
                (
                    ("List of causes", "110.00", 4, 1, ("Crawl", "List in order")),
                    ("List and texts", "330.00", 10, 2, ("Crawl", "List in order", "Three rewritten pages")),
                ),
                (("Address of the site", "text", True),),
            ),
        ),
        ("20.00", "38.00", "70.00"),
        (((0, 1, 2, 3, 4), 8 * 60, 10 * 60),),
    ),
    Seller(
        "Noa Ben-David",
        "Pacific/Auckland",
        "Wellington",
        "Kubernetes only when you need it. Mostly you do not.",
        "Twelve years of being woken at night. I build set-ups that let people sleep.",
        ("Linux", "Terraform", "Kubernetes", "Monitoring"),
        ("English", "Hebrew"),
        (
            Offer(
                "devops-and-cloud",
                "Set up deployment that one person can understand",
                "Servers, certificates, backups and alerts, written down on two pages.",
                "You get a set-up that fits a small team: boring parts, one command to deploy, one to roll back, and a restore that has been tried.",
                ("deployment", "linux", "backup"),
                (
                    ("One service", "280.00", 6, 1, ("One service deployed", "Two pages of notes")),
                    ("Service and database", "720.00", 12, 2, ("Service", "Database with tried restore", "Alerts", "Notes")),
                ),
                (("Where does it run today?", "long", True),),
            ),
        ),
        ("45.00", "80.00", "140.00"),
        (((0, 1, 2, 3), 9 * 60, 11 * 60),),
    ),
    Seller(
        "Ekow Mensah",
        "Africa/Accra",
        "Accra",
        "Jingles, stings and the sound your button makes.",
        "Composer and sound designer. Everything is played, nothing is from a pack.",
        ("Sound design", "Composition", "Mixing"),
        ("English",),
        (
            Offer(
                "audio-and-music",
                "Compose a jingle of up to 20 seconds",
                "Two ideas, one finished piece, all rights.",
                "Tell me what people should feel in the first second. You hear two sketches before I record.",
                ("music", "jingle", "audio"),
                (
                    ("Sting of 5 seconds", "55.00", 3, 1, ("One sting", "WAV and MP3")),
                    ("Jingle of 20 seconds", "170.00", 7, 2, ("Two sketches", "One jingle", "Stems")),
                ),
            ),
        ),
    ),
)

# More builders of websites, so that there is a market to compare prices with: name, zone, city, what they do, and what comes of it.
NEIGHBOURS: tuple[tuple[str, str, str, str, str], ...] = (
    ("Aiko Tanabe", "Asia/Tokyo", "Osaka", "Turn your spreadsheet into a small web app", "The same columns, with sign-in and a history of changes."),
    (
        "Bruno Salgado",
        "America/Sao_Paulo",
        "Recife",
        "Build a shop front for up to fifty products",
        "Pages, basket and test payments, ready to be filled.",
    ),
    (
        "Chiara Bonfanti",
        "Europe/Rome",
        "Bergamo",
        "Rebuild your forms so that people finish them",
        "Fewer fields, clear errors, and it works on a phone.",
    ),
    (
        "Dmitri Volkov",
        "Europe/Riga",
        "Riga",
        "Write the API that your mobile app needs",
        "Described first, tested, and fast enough for a bad network.",
    ),
    ("Esi Boateng", "Africa/Accra", "Kumasi", "Make your site usable without a mouse", "Keyboard, screen reader and contrast, checked by hand."),
    ("Farid Haddad", "Asia/Beirut", "Beirut", "Add search that forgives spelling", "Over your own data, in the database you have."),
    ("Greta Nyman", "Europe/Helsinki", "Tampere", "Move your site to a newer Django", "One version at a time, with tests between."),
    ("Hugo Marchand", "Europe/Paris", "Nantes", "Put a booking calendar on your site", "Free times from your calendar, and no double bookings."),
    ("Ines Cardoso", "Europe/Lisbon", "Porto", "Send invoices from your own site", "Numbered, as PDF, with reminders that you can stop."),
    ("Jakub Sedlak", "Europe/Prague", "Brno", "Write the tests that nobody wrote", "For what breaks most, so that you dare to change it."),
    ("Kavya Raman", "Asia/Kolkata", "Chennai", "Build a dashboard your team opens daily", "Three numbers that matter, on one page."),
    ("Lars Eikeland", "Europe/Oslo", "Bergen", "Take the JavaScript out of your pages", "What the server can do, the server does."),
    ("Maribel Reyes", "America/Mexico_City", "Puebla", "Make a landing page in plain HTML", "Loads at once, edits in any editor."),
    ("Nadia Kassem", "Africa/Cairo", "Alexandria", "Translate your site without a second copy", "Strings, dates and direction, from one source."),
    (
        "Otto Lehmann",
        "Europe/Berlin",
        "Leipzig",
        "Bring your data over from the old system",
        "Counted before and after, with a list of what was odd.",
    ),
    ("Priya Sethi", "Asia/Kolkata", "Jaipur", "Set up sign-in with a second factor", "Passwords, passkeys and what happens when a phone is lost."),
    (
        "Quentin Abele",
        "Europe/Brussels",
        "Ghent",
        "Find and close the holes in your web app",
        "A day of looking, a list in order, the first five closed.",
    ),
    ("Rosalie Nkemelu", "Africa/Lagos", "Enugu", "Build a members area for your club", "Fees, lists and letters, kept apart by role."),
    ("Stefan Ilic", "Europe/Belgrade", "Novi Sad", "Make uploads that do not fail", "Large files, slow lines, and a bar that tells the truth."),
    ("Thuy Pham", "Asia/Ho_Chi_Minh", "Da Nang", "Draw maps with your own places", "Your list on a map that loads quickly."),
    ("Ulla Virtanen", "Europe/Helsinki", "Oulu", "Write the admin pages your staff deserves", "Search, filters, and no way to break things."),
    ("Victor Adeleke", "Africa/Lagos", "Ibadan", "Add a chat to your product", "Messages that arrive, once, also after a restart."),
    ("Wanda Zielinska", "Europe/Warsaw", "Gdansk", "Print tickets and labels from your site", "PDF that fits the paper, with codes that scan."),
    ("Yusuf Demir", "Europe/Istanbul", "Izmir", "Make your pages load in a second", "Fonts, pictures and queries, in that order."),
)
# What they ask, and were paid, for the three sizes.
BASIC = (60, 70, 75, 85, 90, 95, 95, 100, 105, 110, 115, 120, 120, 125, 130, 135, 140, 150, 150, 160, 175, 190, 220, 300)
STANDARD = (90, 110, 120, 130, 140, 140, 150, 155, 160, 165, 170, 175, 175, 180, 190, 200, 210, 225, 230, 240, 260, 290, 340, 420)
PREMIUM = (220, 260, 290, 310, 320, 330, 340, 350, 360, 380, 390, 400, 400, 420, 440, 450, 470, 500, 520, 540, 600, 680, 760, 900)

BUYERS: tuple[Buyer, ...] = (
    Buyer("Jonas Vermeer", "Europe/Amsterdam", CLIENT),
    Buyer("Rosa Dietrich", "Europe/Berlin"),
    Buyer("Tom Sato", "Asia/Tokyo"),
    Buyer("Mika Laine", "Europe/Helsinki"),
    Buyer("Pilar Ortega", "America/Mexico_City"),
    Buyer("Grace Otieno", "Africa/Nairobi"),
    Buyer("Leo Fontaine", "Europe/Paris"),
    Buyer("Samira Aziz", "Asia/Dubai"),
    Buyer("Dale Whitaker", "America/Chicago"),
    Buyer("Ingrid Solheim", "Europe/Oslo"),
)

# Who of the staff is in which groups of the console; what one asks for, another approves.
STAFF_PEOPLE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Olu Adeyemi", STAFF, ("Senior agent", "Finance", "Security")),
    ("Ines Duarte", SENIOR, ("Senior agent",)),
    ("Mara Tanaka", AGENT, ("Agent",)),
    ("Piet Keizer", "piet@demo.port444.example", ("Auditor",)),
)

# Builders who share more than they should: name, zone and for how many days they have been here.
RING = (
    ("Mila Sander", "Europe/Berlin", 3),
    ("Omid Farsi", "Europe/Berlin", 3),
    ("Petra Lang", "Europe/Berlin", 3),
    ("Rui Kaya", "Europe/Lisbon", 19),
)

# What clients answer to the builders' questions.
ANSWERS = {
    "Where is the code, and how do I run it?": "You have access to our repository since this morning. One command starts it; the read-me says which.",
    "Which pages are slow, and how slow?": "The order list takes 4 s, the customer page 3 s, and the monthly report times out.",
    "How many rows are in the three largest tables?": "2.1 million events, 400,000 orders, 60,000 customers",
    "How can I reach the database, read-only?": "Over our VPN, as the role reader. The password comes in a second message.",
    "When do you need the report?": "2027-01-15",
    "When is it quiet?": "Before 7 in the morning, Amsterdam time",
    "Repository and commit": "Our contracts repository, at the tag v0.9-review",
    "What must never happen?": "Nobody may withdraw more than they put in, not even by a fee that is rounded.",
    "Where does it run today?": "On one rented server that a former colleague set up. Nobody knows how to rebuild it.",
    "Where can I try the product?": "On our staging site; you have an invitation in your mail.",
    "Who will read this?": "Developers who have twenty minutes and have never heard of us.",
    "Address of the site": "Our staging site; the password is in the invitation.",
    "Which journey matters most?": "From the search to the confirmation of an order.",
    "What decision hangs on the forecast?": "How many pallets we order for the week after next.",
    "What do you make, and for whom?": "Oars and small boats, for people who row before work.",
}

PRAISE: tuple[tuple[int, str], ...] = (
    (5, "Clear from the first message, and the numbers were real. I would not look elsewhere."),
    (5, "Done two days early, with notes that our team still uses."),
    (4, "Very good work. One round of questions more than I expected, all of them fair."),
    (5, "Listened, then did exactly what was agreed."),
    (4, "Solid. The hand-over was short but complete."),
    (5, "The first person who explained it so that I could explain it to others."),
    (3, "The result is fine; it took some reminding on my side."),
)
CLIENT_PRAISE: tuple[tuple[int, str], ...] = (
    (5, "Knew what was needed, answered within hours, and said thank you."),
    (5, "Clear questions, complete files, no surprises."),
    (4, "Pleasant to work for. The answers took a day or two."),
    (5, ""),
    (3, "The task grew while I worked on it; we found a way in the end."),
)
REPLIES = (
    "Thank you! Write to me whenever it gets slow again.",
    "That was a good task to have. The notes are yours to keep.",
    "Fair. I will ask all of it at once next time.",
)
