"""Talks to mom-lsp-server as an editor does: opens a text, asks, changes it, and ends."""
import json
import subprocess
import sys

URI = "file:///model.mom"
TEXT = """modality M { text, image }
setting D = 8
batch { token by M { id: index[16] } }
layer mixer(x: token[D]) -> token[D] {
  part up = linear[M](D -> 2*D), down = linear(2*D -> D)
  weight skip: f32[D] = 1
  u = silu(up(x))
  return skip*x + down(u)
}
model m(t: token) {
  part embed = embedding(16, D), layers = mixer * 3
  loss lm = mean(cross_entropy(layers(embed(t.id)), next(t.id)))
}
"""

server = subprocess.Popen(["mom-lsp-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
number = 0


def send(message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    server.stdin.flush()


def receive():
    length = 0
    while line := server.stdout.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return json.loads(server.stdout.read(length))


def ask(method, **parameters):
    global number
    number += 1
    send({"id": number, "method": method, "params": parameters})
    answer = receive()
    check(answer["id"], number)
    return answer["result"]


def tell(method, **parameters):
    send({"method": method, "params": parameters})


def diagnostics():
    message = receive()
    check(message["method"], "textDocument/publishDiagnostics")
    return message["params"]["diagnostics"]


def check(got, expected):
    if got != expected:
        server.kill()
        sys.exit(f"expected {expected!r}, but got {got!r}")


def place(text, word, occurrence=0):
    """The position within a word of the text."""
    at = -1
    for _ in range(occurrence + 1):
        at = text.index(word, at + 1)
    before = text[:at]
    return {"line": before.count("\n"), "character": at - (before.rfind("\n") + 1) + 1}


def at(text, word, occurrence=0):
    return {"textDocument": {"uri": URI}, "position": place(text, word, occurrence)}


def change(text, version):
    tell("textDocument/didChange", textDocument={"uri": URI, "version": version},
         contentChanges=[{"text": text}])
    return diagnostics()


def hover(word, occurrence=0):
    return ask("textDocument/hover", **at(TEXT, word, occurrence))["contents"]["value"].strip("`mo\n")


capabilities = ask("initialize", capabilities={})["capabilities"]
check(capabilities["hoverProvider"], True)
tell("initialized")
tell("textDocument/didOpen", textDocument={"uri": URI, "languageId": "mom", "version": 1, "text": TEXT})
check([d["message"] for d in diagnostics()], ["expected logits token[16], one a target, but got token[8]"])

# Hover: type, row space, parameters.
check(hover("up(x)"), "part up = linear[M]; weight f32[2, 16, 8]; 256 parameters")
check(hover("layers("), "part layers = mixer * 3; 1176 parameters")
check(hover("u)"), "u: token[16]")
check(hover("skip*x"), "weight skip: f32[8]")
check(hover("mixer *"), "layer mixer(x: token[8]) -> token[8]; 392 parameters")
check(hover("id)"), "field id: index[16]")
check(hover("D ->", 0), "setting D = 8")
check(ask("textDocument/hover", **at(TEXT, "silu"))["contents"]["value"].strip("`mo\n"), "built in")
check(ask("textDocument/hover", **at(TEXT, "{ id")), None)

# Definitions.
found = ask("textDocument/definition", **at(TEXT, "up(x)"))
check([f["range"]["start"] for f in found], [{"line": 4, "character": 7}])
found = ask("textDocument/definition", **at(TEXT, "id)"))
check([f["range"]["start"] for f in found], [{"line": 2, "character": 21}])

# A mended text has no messages; a broken one has, and completion goes on.
good = TEXT.replace("D = 8", "D = 16")
check(change(good, 2), [])
broken = good.replace("next(t.id)", "next(t.)")
messages = change(broken, 3)
check(messages[0]["message"], "expected the name of a field, but got ')'")
check(messages[0]["range"]["start"]["line"], 11)
where = at(broken, "t.)")
where["position"]["character"] += 1
labels = [item["label"] for item in ask("textDocument/completion", **where)["items"]]
check(labels, ["id"])
labels = [item["label"] for item in ask("textDocument/completion", **at(broken, "up(x)"))["items"]]
for wanted in ["up", "skip", "D", "M", "silu", "linear", "weight"]:
    check(wanted in labels, True)
check("embed" in labels, False)
scheduled = good + "schedule mixer { kernel u: lanes 4\n }\n"
check(change(scheduled, 4), [])
labels = [item["label"] for item in ask("textDocument/completion", **at(scheduled, "lanes"))["items"]]
check("tile_rows" in labels and "grad" in labels, True)

# Twice the same name: the note is at the other place.
twice = good.replace("  u = silu", "  u = x\n  u = silu")
note = change(twice, 5)[0]["relatedInformation"][0]
check((note["message"], note["location"]["range"]["start"]), ("first bound here", {"line": 6, "character": 2}))

# Formatting.
check(ask("textDocument/formatting", textDocument={"uri": URI}, options={}), [])
change(good.replace("skip*x + down", "skip*x+down"), 6)
edits = ask("textDocument/formatting", textDocument={"uri": URI}, options={})
check([edit["newText"] for edit in edits], [good])

tell("textDocument/didClose", textDocument={"uri": URI})
check(diagnostics(), [])
ask("shutdown")
tell("exit")
check(server.wait(timeout=60), 0)
