#!/usr/bin/env python3
"""The rules between folders, as docs/architecture.md states them.

    check.py rules ROOT                      what sources include, and what the documents show
    check.py symbols FOLDER=ARCHIVE ...      what each folder's static library calls
    check.py headers ROOT LANGUAGE COMPILER ...   each public header compiles alone

Prints a line per violation and exits with 1 if there is any.  A source may do what the tables
below grant it and nothing else; everything else is denied, by the header it would have to include
and again by the symbols it would leave undefined.
"""

import os
import re
import subprocess
import sys

# What a folder of lib/ may include beside itself and the public headers.  A file instead of a
# folder grants just that file.
MAY_INCLUDE = {
    "base": [],
    "audio": ["base"],
    "feature": ["base"],
    "nn": ["base"],
    "encoder": ["base", "nn"],
    "decoder": ["base", "nn"],
    "transcript": ["base"],
    "recognizer": ["base", "audio/convert.h", "feature", "nn", "encoder", "decoder", "transcript"],
}

# The same for the folders of daemon/, beside the public headers, lib/base and proto/message_memory.h.
# What lies in daemon/ itself puts all together and may include all.
DAEMON_MAY_INCLUDE = {
    "system": [],
    "http": ["system"],
    "server": ["system"],
    "access": ["server"],
    "page": [],
    "captions": ["system", "http", "access", "page"],
    "wire": ["captions/captions.h"],
    "settings": ["system"],
    "speech": ["system", "wire"],
    "capture": ["system", "settings", "captions/captions.h", "speech"],
    "services": ["system", "server", "captions/captions.h", "wire", "speech"],
    "monitoring": ["system", "http", "server", "captions/captions.h", "speech", "services"],
}

# What needs a grant: the headers that declare it and the symbols that use it.
ABILITIES = {
    "threads": (r"pthread\.h|threads\.h|semaphore\.h", r"pthread_|thrd_|mtx_|cnd_|sem_"),
    "signals": (r"signal\.h", r"sig(action|fillset|procmask)$|signal$"),
    "allocation": (
        r"malloc\.h",
        r"(malloc|calloc|realloc|reallocarray|free|aligned_alloc|posix_memalign|memalign"
        r"|(__)?strn?dup|(__)?v?asprintf(_chk)?|getline)$",
    ),
    "files": (
        r"fcntl\.h|unistd\.h|sys/mman\.h|sys/stat\.h",
        r"(open|fopen|fdopen|freopen|fstat|stat|lseek|mmap|pread)(64)?$|(read|write|close|access)$",
    ),
    "system": (r"sched\.h|time\.h|sys/time\.h", r"(clock_gettime|gettimeofday|time|getenv)$|sched_"),
    "processes": (
        r"poll\.h|spawn\.h|sys/(prctl|socket|syscall|wait)\.h",
        r"(poll|v?fork|exec\w+|waitpid|kill|prctl|syscall|socket(pair)?|send|recv)$|posix_spawn",
    ),
    "flac": (r"FLAC/.*", r"FLAC__"),
    "jansson": (r"jansson\.h", r"json_"),
    "kissfft": (r"kiss_fft\w*\.h|kissfft/.*", r"kiss_fft"),
    "onednn": (r"oneapi/.*|dnnl.*", r"dnnl_"),
    "openmp": (r"omp\.h", r"omp_|GOMP_"),
    "mpg123": (r"mpg123\.h", r"mpg123_"),
    "opus": (r"opus.*\.h", r"opus_"),
    "portaudio": (r"portaudio\.h", r"Pa_"),
    "sndfile": (r"sndfile\.h", r"sf_"),
    "soxr": (r"soxr\.h", r"soxr_"),
    "wire": (r"grpc/.*|google/.*|protobuf-c/.*|.*\.pb-c\.h", r"grpc_|gpr_|protobuf_c_"),
    "saying": (
        r"syslog\.h",
        r"(__)?v?f?printf(_chk)?$|puts$|putchar$|fputs$|perror$|stdout$|stderr$|syslog$",
    ),
    "ending": (r"(?!)", r"(exit|_exit|_Exit|quick_exit|abort)$"),
}

# Who has it.  Threads: the engine alone; its header names the types of a lock.
GRANTS = {
    "base/memory.c": ["allocation"],
    "audio/capture.c": ["portaudio"],
    "audio/convert.c": ["soxr"],
    "audio/file.c": ["sndfile"],
    "audio/input.c": ["files"],
    "audio/microphone.c": ["files", "processes", "signals", "system"],
    "audio/microphone_process.c": ["files", "processes", "signals", "system"],
    "audio/recording.c": ["sndfile"],
    "audio/stream_flac.c": ["flac"],
    "audio/stream_mpeg.c": ["mpg123"],
    "audio/stream_opus.c": ["opus"],
    "feature/frontend.c": ["kissfft"],
    "nn/weights.c": ["jansson"],
    "nn/ops_onednn.c": ["onednn", "openmp"],
    "decoder/vocabulary.c": ["jansson"],
    "recognizer/cores.c": ["files", "system"],
    "recognizer/engine.c": ["signals", "system", "threads"],
    "recognizer/engine.h": ["threads"],
    "recognizer/model.c": ["files", "system"],
    "recognizer/model_config.c": ["jansson"],
}

# Headers of the C standard that need no grant.
STANDARD = set(
    "assert.h ctype.h errno.h float.h inttypes.h limits.h math.h stdalign.h stdarg.h stdatomic.h "
    "stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h".split()
)
IN_PUBLIC_HEADERS = {"stdbool.h", "stddef.h", "stdint.h"}

# Abilities that clients and the daemon may not have: what libsteno does for them.
NOT_FOR_PROGRAMS = ["flac", "kissfft", "mpg123", "onednn", "openmp", "opus", "portaudio",
                    "sndfile", "soxr"]

# What needs a grant in the daemon, and which folders and files have it.
DAEMON_ABILITIES = {
    "messages": (r"protobuf-c/.*|.*\.pb-c\.h", r"protobuf_c_|.*__(un)?pack$"),
    "grpc": (r"grpc/.*", r"grpc_(?!_)|gpr_"),
    "microhttpd": (r"microhttpd\.h", r"MHD_"),
    "openssl": (r"openssl/.*", r"(BIO|CRYPTO|ERR|EVP|OPENSSL|PEM|X509)_"),
    "systemd": (r"systemd/.*", r"sd_"),
}
DAEMON_GRANTS = {
    "server": ["grpc"],
    "wire": ["messages"],
    "services/health.c": ["messages"],
    "services/reflection.c": ["messages"],
    "http": ["microhttpd"],
    "access/certificates.c": ["openssl"],
    "access/tokens.c": ["openssl"],
    "speech/fingerprint.c": ["openssl"],
    "system/systemd.c": ["systemd"],
}
# All that others see of a folder that has a grant; these headers go without.
DAEMON_FACES = ["server/call.h", "server/server.h", "http/http.h", "wire/wire.h", "wire/captions.h",
                "wire/descriptors.h", "wire/descriptor_set.h"]

# Who speaks gRPC in the client library, and who sees messages.
LIBRARY_GRPC = ["call.c", "network.c", "network_private.h"]
LIBRARY_WIRE = ["wire.c", "wire_captions.c"]

# What proto/ has beside messages, for both sides of the wire.
IN_PROTO = ["proto/message_memory.h"]

# Where public headers lie.
PUBLIC = ["lib/include", "clients/library/include"]

LONG_FILE_LINES = 600
# In two parts each, so that this file does not speak of itself.
UNFINISHED = re.compile(
    r"\b(" + "|".join(["TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"]) + r")\b|(?i:\b("
    + "|".join(["not imple" "mented", "place" "holder", "st" "ub"])
    + r")\b)"
)
_INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')
_NOT_SOURCE = re.compile(r"^(build.*|\.git|\.cache|__pycache__|subprojects)$")


def files_under(folder, endings):
    """Paths relative to `folder`, sorted."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _NOT_SOURCE.match(name)]
        for name in names:
            if name.endswith(endings):
                found.append(os.path.relpath(os.path.join(place, name), folder))
    return sorted(found)


def includes_of(path):
    """(line, name, quoted) of each #include."""
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            match = _INCLUDE.match(line)
            if match:
                yield number, match[1] or match[2], match[1] is None


def ability_of_header(name):
    for ability, (headers, _) in ABILITIES.items():
        if re.fullmatch(headers, name):
            return ability
    return None


def may_include(folder, name, table):
    """Whether a source of FOLDER may include "NAME", by one of the tables above."""
    if name.startswith(("steno/", folder + "/")):
        return True
    return any(name == grant or name.startswith(grant + "/") for grant in table[folder])


def check_library_source(root, source):
    """Violations of one source of lib/, `source` being FOLDER/NAME."""
    folder = source.split("/")[0]
    if folder not in MAY_INCLUDE:
        yield f"lib/{source}: a folder without rules; tests/layering/check.py states them"
        return
    grants = GRANTS.get(source, [])
    for line, name, quoted in includes_of(os.path.join(root, "lib", source)):
        where = f"lib/{source}:{line}"
        if quoted:
            if not may_include(folder, name, MAY_INCLUDE):
                yield f'{where}: lib/{folder} may not include "{name}"'
        elif name not in STANDARD:
            ability = ability_of_header(name)
            if ability is None:
                yield f"{where}: no rule speaks of <{name}>"
            elif ability not in grants:
                yield f"{where}: <{name}> needs the grant of {ability}"


def check_public_header(root, source):
    for line, name, quoted in includes_of(os.path.join(root, source)):
        if not (name.startswith("steno/") if quoted else name in IN_PUBLIC_HEADERS):
            yield f"{source}:{line}: a public header may not include {name}"


def check_client_source(root, source):
    """A client may include its own headers, which lie in its folder, and the public ones."""
    client = os.path.join(root, "clients", source.split("/")[0])
    for line, name, quoted in includes_of(os.path.join(root, "clients", source)):
        where = f"clients/{source}:{line}"
        if quoted:
            if not name.startswith("steno/") and not os.path.exists(os.path.join(client, name)):
                yield f'{where}: a client may not include "{name}"'
        elif ability_of_header(name) in NOT_FOR_PROGRAMS:
            yield f"{where}: a client may not include <{name}>"


def check_client_library_source(root, source):
    """The client library: what any client may, lib/base, and the wire, gRPC and messages apart."""
    folder = os.path.join(root, "clients/library")
    for line, name, quoted in includes_of(os.path.join(folder, source)):
        where = f"clients/library/{source}:{line}"
        if quoted and name.endswith(".pb-c.h"):
            if source not in LIBRARY_WIRE:
                yield f"{where}: only {', '.join(LIBRARY_WIRE)} may see messages: {name}"
        elif quoted and not (name.startswith(("steno/", "base/")) or name in IN_PROTO
                             or os.path.exists(os.path.join(folder, name))):
            yield f'{where}: the client library may not include "{name}"'
        elif not quoted and name.startswith("grpc/") and source not in LIBRARY_GRPC:
            yield f"{where}: only {', '.join(LIBRARY_GRPC)} may include <{name}>"
        elif not quoted and ability_of_header(name) in NOT_FOR_PROGRAMS:
            yield f"{where}: the client library may not include <{name}>"


def check_proto_source(root, source):
    """What both sides of the wire share: memory for messages, and nothing of either."""
    for line, name, quoted in includes_of(os.path.join(root, "proto", source)):
        ours = name.startswith("base/") or name in IN_PROTO
        theirs = name in STANDARD or name.startswith("protobuf-c/")
        if not (ours if quoted else theirs):
            yield f"proto/{source}:{line}: may not include {name}"


def daemon_grants(source):
    """The abilities of FOLDER/NAME, a source of daemon/."""
    if source in DAEMON_FACES:
        return []
    return DAEMON_GRANTS.get(source, []) + DAEMON_GRANTS.get(os.path.dirname(source), [])


def check_daemon_source(root, source):
    """`source` is FOLDER/NAME, or NAME of what puts all together."""
    folder = os.path.dirname(source)
    if folder and folder not in DAEMON_MAY_INCLUDE:
        yield f"daemon/{source}: a folder without rules; tests/layering/check.py states them"
        return
    for line, name, quoted in includes_of(os.path.join(root, "daemon", source)):
        where = f"daemon/{source}:{line}"
        ability = next((ability for ability, (headers, _) in DAEMON_ABILITIES.items()
                        if re.fullmatch(headers, name)), None)
        if ability is not None:
            if ability not in daemon_grants(source):
                yield f"{where}: {name} needs the grant of {ability}"
        elif quoted:
            other = os.path.dirname(name)
            inside = (may_include(folder, name, DAEMON_MAY_INCLUDE) if folder else
                      not other or other in DAEMON_MAY_INCLUDE)
            if other != folder and other in DAEMON_GRANTS:
                inside = inside and name in DAEMON_FACES
            if not inside and not name.startswith(("steno/", "base/")) and name not in IN_PROTO:
                yield f'{where}: daemon/{folder} may not include "{name}"'
        elif ability_of_header(name) in NOT_FOR_PROGRAMS:
            yield f"{where}: the daemon may not include <{name}>"


def check_words(root):
    for source in files_under(root, (".c", ".h", ".py", "meson.build", "dev", "run")):
        with open(os.path.join(root, source), encoding="utf-8") as text:
            for number, line in enumerate(text, 1):
                match = UNFINISHED.search(line)
                if match:
                    yield f"{source}:{number}: unfinished work: {match[0]}"


def check_document(root):
    """The table of docs/architecture.md grants what MAY_INCLUDE and DAEMON_MAY_INCLUDE do."""
    rows, path = {}, os.path.join(root, "docs/architecture.md")
    if not os.path.exists(path):
        yield "docs/architecture.md: not there"
        return
    with open(path, encoding="utf-8") as document:
        for line in document:
            match = re.match(r"\| `((?:lib|daemon)/\w+)/` \|[^|]*\|([^|]*)\|", line)
            if match:
                rows[match[1]] = re.findall(r"`([^`]+)`", match[2])
    for top, table in (("lib", MAY_INCLUDE), ("daemon", DAEMON_MAY_INCLUDE)):
        for folder, grants in table.items():
            shown = rows.get(f"{top}/{folder}", ["no row"])
            if sorted(shown) != sorted(grants):
                yield (f"docs/architecture.md: {top}/{folder} may include {shown} there and "
                       f"{grants} in tests/layering/check.py")


def check_readmes(root):
    """Each README that shows an example shows it as it is."""
    for page, name in (("README.md", "transcribe.c"),
                       ("clients/library/README.md", "transcribe_server.c")):
        with open(os.path.join(root, "examples", name), encoding="utf-8") as source:
            example = source.read()
        with open(os.path.join(root, page), encoding="utf-8") as readme:
            if f"```c\n{example}```" not in readme.read():
                yield f"{page}: does not show examples/{name} as it is"


def check_rules(root):
    violations = []
    library = os.path.join(root, "lib")
    for source in files_under(library, (".c", ".h")):
        if not source.startswith("include/"):
            violations += check_library_source(root, source)
    for folder in PUBLIC:
        for source in files_under(os.path.join(root, folder), (".h",)):
            violations += check_public_header(root, f"{folder}/{source}")
    for source in files_under(os.path.join(root, "clients"), (".c", ".h")):
        if source.startswith("library/include/"):
            continue
        if source.startswith("library/"):
            violations += check_client_library_source(root, source[len("library/"):])
        else:
            violations += check_client_source(root, source)
    for source in files_under(os.path.join(root, "proto"), (".c", ".h")):
        violations += check_proto_source(root, source)
    for source in files_under(os.path.join(root, "daemon"), (".c", ".h")):
        violations += check_daemon_source(root, source)
    for source in GRANTS:
        if not os.path.exists(os.path.join(library, source)):
            violations.append(f"lib/{source}: granted something but not there")
    for source in [*DAEMON_GRANTS, *DAEMON_FACES]:
        if not os.path.exists(os.path.join(root, "daemon", source)):
            violations.append(f"daemon/{source}: granted something but not there")
    violations += check_words(root)
    violations += check_document(root)
    violations += check_readmes(root)
    return violations


def warn_of_long_files(root):
    for source in files_under(root, (".c", ".h", ".py")):
        with open(os.path.join(root, source), encoding="utf-8") as text:
            lines = sum(1 for _ in text)
        if lines > LONG_FILE_LINES:
            print(f"warning: {source} has {lines} lines; is there a second idea inside?")


def undefined_symbols(archive):
    """(source, symbol) of what each object of a static library calls."""
    listing = subprocess.run(
        ["nm", "-A", "-u", archive], check=True, capture_output=True, text=True
    ).stdout
    for line in listing.splitlines():
        match = re.search(r"([^/:]+)\.o:\s+[Uwv] (\S+)$", line)
        if match is not None:
            # Names without their version ("@GLIBC_2.34") and fortification.
            yield match[1], match[2].split("@")[0]


def check_symbols(folder, archive):
    """Violations of one static library, object by object: of FOLDER of lib, or of daemon/FOLDER."""
    of_daemon = folder.startswith("daemon/")
    abilities = DAEMON_ABILITIES if of_daemon else ABILITIES
    seen = False
    for name, symbol in undefined_symbols(archive):
        seen = True
        source = f"{folder}/{name}"
        grants = (daemon_grants(source[len("daemon/"):]) if of_daemon else GRANTS.get(source, []))
        for ability, (_, symbols) in abilities.items():
            if re.match(symbols, symbol) and ability not in grants:
                place = source if of_daemon else f"lib/{source}"
                yield f"{place}: calls {symbol}, which needs the grant of {ability}"
    if not seen:
        yield f"{archive}: nm names no object in it"


def check_headers(root, language, compiler):
    folders = [os.path.join(root, folder) for folder in PUBLIC]
    kind, standard = ("c", "c11") if language == "c" else ("c++", "c++17")
    headers = [header for folder in folders for header in files_under(folder, (".h",))]
    if not headers:
        yield f"{' '.join(folders)}: no headers"
    for header in headers:
        result = subprocess.run(
            compiler + ["-x", kind, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        "-fsyntax-only"] + [f"-I{folder}" for folder in folders] + ["-"],
            input=f'#include "{header}"\nextern int something;\n',
            capture_output=True, text=True, check=False)
        if result.returncode != 0:
            yield f"{header} does not compile alone as {standard}:\n{result.stderr}"


def main(arguments):
    kind, arguments = arguments[0], arguments[1:]
    violations = []
    if kind == "rules":
        warn_of_long_files(arguments[0])
        violations = check_rules(arguments[0])
    elif kind == "symbols":
        for pair in arguments:
            violations += check_symbols(*pair.split("=", 1))
    elif kind == "headers":
        violations = list(check_headers(arguments[0], arguments[1], arguments[2:]))
    else:
        raise SystemExit(__doc__)
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
