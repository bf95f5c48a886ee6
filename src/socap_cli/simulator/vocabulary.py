"""Words for a made-up world. Some are traps: a director is no CTO, and names hold markup and formulas."""

FIRST_NAMES = (
    "Ada", "Grace", "Linus", "Mina", "Noor", "Kofi", "Yuki", "Ines", "Omar", "Lena", "Ravi", "Sofia", "Tariq",
    "Wei", "Amara", "Jonas", "Priya", "Mateo", "Zoe", "Emeka", "Hana", "Luca", "Aisha", "Viktor", "Chloe",
)  # fmt: skip
LAST_NAMES = (
    "Byron", "Hopper", "Okafor", "Tanaka", "Silva", "Novak", "Haddad", "Larsen", "Mehta", "Costa", "Chen",
    "Diallo", "Weber", "Rossi", "Khan", "Moreau", "Sato", "Kim", "Ivanov", "Garcia", "Nkosi", "Bauer",
)  # fmt: skip
BIOS = (
    "Founder at Example Labs. Building in public.",
    "co-founder & CEO, making spreadsheets fun",
    "CTO at a small bank",
    "Partner at Northwind Ventures, seed fund for the odd ones",
    "General Partner. Investor in 40 companies",
    "journalist, covers AI and chips",
    "Editor of a weekly newsletter about LLM tooling",
    "software engineer, Rust and Python",
    "full stack developer · coffee",
    "Y Combinator W24. Previously nothing much.",
    "Director of photography. Cooking on Sundays.",
    "svc account of a small shop",
    "I express myself in memes",
    "generative AI researcher",
    "",
    "views my own",
    "dad, runner, Arsenal",
    "<b>bold</b> claims & <!channel> pings",
    "=HYPERLINK(\"https://evil.invalid\",\"click\")",
    "student of everything",
    "writing, reading, hiking",
    "art • music • cats 🐈",
    "مهندس برمجيات",
    "データと猫",
)  # fmt: skip
TWEETS = (
    "We launched! A year of work, out today.",
    "What we learnt from the first thousand customers, a thread.",
    "Proud to back this team from day one.",
    "I tried it for a week. Here is what surprised me.",
    "The benchmark everyone asked for, with code.",
    "Why we think this changes how campaigns are run.",
)
REPLIES = (
    "Congrats!", "This is great", "How does it compare with the others?", "Is there an API?", "take my money",
    "When will it be in Europe?", "not convinced yet", "Been using it for a month, it holds up <3", "🔥🔥🔥",
    "=1+1 is two, and this is one", "Would love to talk, DM open",
)  # fmt: skip
QUOTES = (
    "Worth a read.", "Big if it works.", "This is the launch to watch today.", "My notes on this, below.",
    "They finally did it.", "Bookmarking this one.", "Strong team, strong numbers.",
)  # fmt: skip
