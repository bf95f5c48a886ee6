"""Texts that would do harm where they are not cleaned."""

HOSTILE = [
    "=?utf-8?q?=0aBcc:_x@y.z?=", "=?utf-8?q?=0d=0aBcc:_x@y.z?=", "=?utf-8?b?DQpCY2M6IHhAeS56?=",
    "=?utf-8?q?=0D=0ABcc:_victim@evil.example=0D=0AX-Evil:_1=0D=0A=0D=0AFree_text?=",
    "Ann =?utf-8?q?=0aBcc:_x@y.z?= Lee", "=?utf-8?b?SGVsbG8=?=", "=?utf-8?q?=0A?=Bcc: evil@example.net",
    "a\r\nBcc: x@y.z", "a\x0bBcc: x@y.z", "a\x85Bcc: x@y.z", "a\u2028Bcc: x@y.z", "\x00\x1b[31mred", "\ud83d\ud800",
    "<!channel> <!here> @everyone @here", "<https://evil.example|Click>", "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }} {% raw %}", "&amp;&lt;", "```code", "*bold* _it_ ~no~",
    "\u202eevil\u202d \u2066x", "x" * 10_000, "😀" * 3000, "é" * 500, ",;:<>@\"\\ ()", "=?", "?=", "",
    "\u202e\u202d\u2066\u2067\u2068 never closed", "\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "\x1b[2J\x1b[H\x9b31m",
    "<@U012AB3CD> <#C012AB3CD> <!subteam^S012|x> <!date^1^x|y>", "@everyone" * 1200, "@channel\u200b@here",
    "<@&12345> <@12345>",
    "a> <!channel> <http://evil.example|Click here", "7> <!here> <http://evil.example/2|Sign in", "|", "](http://evil.example)",
    "[x](http://evil.example) ![x](http://evil.example/x.png)", "<style>*{display:none}</style></table></td>", "<!-- ",
    "]]>", "</title>",
    "javascript:alert(1)", "data:text/html,x", "{{ message.people.append }}", "{% include '/x' %}", "\r\n.\r\nQUIT\r\n",
    "\n.\n", "..",
    "\u200f\u200e\u061c", "\ufeff\ufffe\uffff", "\U000e0001\U000e0061", "e" + "\u0301" * 500, "\ud83d", "\udc00\ud800",
    "\u2028\u2029\x85\x0b\x0c",
    "مرحبا " * 900, "שלום", "  ", "\t\t", "0", "-", "=1+1", "'", "%s %d {0} {}", "\\", "x" * 100_000,
]  # fmt: skip
"""What strangers can put into a name, a handle, a bio or a text."""
