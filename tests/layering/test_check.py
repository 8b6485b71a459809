#!/usr/bin/env python3
"""check.py against small made-up trees: it is silent where the rules are kept and speaks, naming
the place, for each way to break one."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check  # noqa: E402  (found by the line above)

COMPILER = os.environ.get("CC", "cc").split()


def table(library=check.MAY_INCLUDE, daemon=check.DAEMON_MAY_INCLUDE):
    rows = "".join(
        f"| `{top}/{folder}/` | things | {', '.join(f'`{name}`' for name in names) or '-'} | |\n"
        for top, grants in (("lib", library), ("daemon", daemon))
        for folder, names in grants.items()
    )
    return "| folder | holds | may include | may not |\n|---|---|---|---|\n" + rows


class Tree(unittest.TestCase):
    """A tree that keeps all rules, to which each test adds what it is about."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = temporary.name
        self.write("docs/architecture.md", table())
        self.write("examples/transcribe.c", "int main;\n")
        self.write("README.md", "```c\nint main;\n```\n")
        self.write("examples/transcribe_server.c", "int main;\n")
        self.write("clients/library/README.md", "```c\nint main;\n```\n")
        for source in check.GRANTS:
            self.write("lib/" + source, "#include <string.h>\n")
        for source in [*check.DAEMON_GRANTS, *check.DAEMON_FACES]:
            if "." in source:
                self.write("daemon/" + source, "#include <string.h>\n")
            else:
                os.makedirs(os.path.join(self.root, "daemon", source), exist_ok=True)
        self.write("lib/include/steno/status.h", "#include <stdint.h>\n")
        self.write("lib/encoder/encoder.c", '#include "nn/ops.h"\n#include "encoder/x.h"\n')
        self.write("clients/steno/main.c", '#include "steno/steno.h"\n#include <unistd.h>\n')

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def rules(self):
        return check.check_rules(self.root)

    def assert_one(self, violations, *words):
        violations = list(violations)
        self.assertEqual(len(violations), 1, violations)
        for word in words:
            self.assertIn(word, violations[0])


class Rules(Tree):
    def test_a_tree_that_keeps_the_rules(self):
        self.assertEqual(self.rules(), [])

    def test_a_stage_includes_another(self):
        self.write("lib/encoder/bad.c", '\n#include "feature/frontend.h"\n')
        self.assert_one(self.rules(), "lib/encoder/bad.c:2", "feature/frontend.h")

    def test_a_later_stage(self):
        self.write("lib/audio/bad.h", '#include "recognizer/stream.h"\n')
        self.assert_one(self.rules(), "lib/audio/bad.h:1")

    def test_a_folder_whose_name_begins_alike(self):
        self.write("lib/encoder/bad.c", '#include "nnx/ops.h"\n')
        self.assert_one(self.rules(), "nnx/ops.h")

    def test_one_header_granted_does_not_grant_its_folder(self):
        self.write("lib/recognizer/good.c", '#include "audio/convert.h"\n')
        self.assertEqual(self.rules(), [])
        self.write("lib/recognizer/bad.c", '#include "audio/input.h"\n')
        self.assert_one(self.rules(), "audio/input.h")

    def test_a_library_without_its_grant(self):
        for folder, header in (
            ("nn", "oneapi/dnnl/dnnl.h"), ("nn", "pthread.h"), ("audio", "sndfile.h"),
            ("feature", "kiss_fftr.h"), ("encoder", "jansson.h"), ("transcript", "time.h"),
            ("recognizer", "grpc/grpc.h"),
        ):
            with self.subTest(header=header):
                self.write(f"lib/{folder}/bad.c", f"#  include <{header}>\n")
                self.assert_one(self.rules(), f"lib/{folder}/bad.c:1", header)
                os.remove(os.path.join(self.root, f"lib/{folder}/bad.c"))

    def test_a_header_no_rule_speaks_of(self):
        self.write("lib/nn/bad.c", "#include <curl/curl.h>\n")
        self.assert_one(self.rules(), "curl/curl.h")

    def test_a_folder_without_rules(self):
        self.write("lib/extra/new.c", "")
        self.assert_one(self.rules(), "lib/extra/new.c")

    def test_a_grant_for_a_file_that_is_gone(self):
        os.remove(os.path.join(self.root, "lib/nn/weights.c"))
        self.assert_one(self.rules(), "lib/nn/weights.c")

    def test_a_public_header(self):
        self.write("lib/include/steno/bad.h", '#include "base/error.h"\n')
        self.assert_one(self.rules(), "lib/include/steno/bad.h:1")
        self.write("lib/include/steno/bad.h", "#include <pthread.h>\n")
        self.assert_one(self.rules(), "pthread.h")

    def test_a_client(self):
        self.write("clients/steno/own.h", "")
        self.write("clients/steno/more.c", '#include "own.h"\n')
        self.write("clients/steno/within/more.c", '#include "own.h"\n')
        self.assertEqual(self.rules(), [])
        for name in ('"base/memory.h"', '"absent.h"', "<sndfile.h>"):
            self.write("clients/steno/more.c", f"#include {name}\n")
            self.assert_one(self.rules(), "clients/steno/more.c:1", name.strip('"'))

    def test_the_daemon(self):
        self.write("daemon/server/server.c", '#include <grpc/grpc.h>\n#include "server/server.h"\n')
        self.write("daemon/wire/wire.c", '#include "steno/v1/speech.pb-c.h"\n'
                   '#include "proto/message_memory.h"\n#include "base/error.h"\n')
        self.write("daemon/wire/captions.h", '#include "captions/captions.h"\n')
        self.write("daemon/parts.c", '#include "parts.h"\n#include "wire/wire.h"\n')
        self.assertEqual(self.rules(), [])
        for name in ('"nn/ops.h"', "<sndfile.h>", "<grpc/grpc.h>", "<microhttpd.h>",
                     "<openssl/evp.h>", "<systemd/sd-daemon.h>", '"grpc/health/v1/health.pb-c.h"',
                     '"server/server.h"', '"parts.h"'):
            with self.subTest(name=name):
                self.write("daemon/speech/other.c", f"\n#include {name}\n")
                self.assert_one(self.rules(), "daemon/speech/other.c:2", name.strip('"<>'))
        self.write("daemon/speech/other.c", "")
        self.write("daemon/server/server.c", '#include "steno/v1/speech.pb-c.h"\n')
        self.assert_one(self.rules(), "daemon/server/server.c:1", "speech.pb-c.h")

    def test_one_header_granted_in_the_daemon(self):
        self.write("daemon/wire/bad.c", '#include "captions/page.h"\n')
        self.assert_one(self.rules(), "daemon/wire/bad.c:1", "captions/page.h")

    def test_what_puts_the_daemon_together(self):
        for name in ('"nn/ops.h"', "<grpc/grpc.h>", '"steno/v1/speech.pb-c.h"'):
            self.write("daemon/main.c", f"#include {name}\n")
            self.assert_one(self.rules(), "daemon/main.c:1", name.strip('"<>'))

    def test_what_others_see_of_a_folder_with_a_grant(self):
        self.write("daemon/server/call.h", "#include <grpc/grpc.h>\n")
        self.assert_one(self.rules(), "daemon/server/call.h:1", "grpc/grpc.h")
        self.write("daemon/server/call.h", "")
        self.write("daemon/services/one.c", '#include "server/call.h"\n')
        self.assertEqual(self.rules(), [])
        for source in ("daemon/services/one.c", "daemon/parts.c"):
            self.write(source, '#include "server/private.h"\n')
            self.assert_one(self.rules(), source, "server/private.h")
            os.remove(os.path.join(self.root, source))

    def test_a_folder_of_the_daemon_without_rules(self):
        self.write("daemon/extra/new.c", "")
        self.assert_one(self.rules(), "daemon/extra/new.c")

    def test_a_grant_in_the_daemon_for_a_file_that_is_gone(self):
        os.remove(os.path.join(self.root, "daemon/access/tokens.c"))
        self.assert_one(self.rules(), "daemon/access/tokens.c")

    def test_the_folders_of_the_daemon_go_one_way(self):
        """An order in which each folder includes only what came before."""
        before = []
        for folder, grants in check.DAEMON_MAY_INCLUDE.items():
            for grant in grants:
                self.assertIn(grant.split("/")[0], before, folder)
            before.append(folder)

    def test_the_client_library(self):
        self.write("clients/library/call.c", '#include <grpc/grpc.h>\n#include "own.h"\n')
        self.write("clients/library/own.h", '#include "steno/client.h"\n#include "base/error.h"\n')
        self.write("clients/library/wire.c", '#include "steno/v1/speech.pb-c.h"\n'
                   '#include "proto/message_memory.h"\n')
        self.write("clients/library/include/steno/client.h", '#include "steno/status.h"\n')
        self.assertEqual(self.rules(), [])
        for name in ('"wire/wire.h"', '"nn/ops.h"', "<sndfile.h>", "<grpc/grpc.h>",
                     '"steno/v1/speech.pb-c.h"'):
            self.write("clients/library/other.c", f"\n#include {name}\n")
            self.assert_one(self.rules(), "clients/library/other.c:2", name.strip('"'))
        self.write("clients/library/other.c", "")
        self.write("clients/library/include/steno/client.h", '#include "base/error.h"\n')
        self.assert_one(self.rules(), "clients/library/include/steno/client.h:1")

    def test_what_both_sides_of_the_wire_share(self):
        self.write("proto/message_memory.c", '#include "proto/message_memory.h"\n'
                   '#include "base/memory.h"\n#include <protobuf-c/protobuf-c.h>\n')
        self.write("daemon/wire/wire.c", '#include "proto/message_memory.h"\n')
        self.assertEqual(self.rules(), [])
        self.write("proto/message_memory.c", '#include "wire/wire.h"\n')
        self.assert_one(self.rules(), "proto/message_memory.c:1", "wire/wire.h")

    def test_unfinished_words(self):
        for word in ("TO" + "DO", "FIX" + "ME", "Not Imple" + "mented", "st" + "ub"):
            self.write("lib/nn/bad.c", f"int x;\n/* {word}: later */\n")
            self.assert_one(self.rules(), "lib/nn/bad.c:2", word)
        self.write("lib/nn/bad.c", "/* stu" "bborn todolist */\n")
        self.assertEqual(self.rules(), [])

    def test_what_is_built_is_not_looked_at(self):
        self.write("build-x/lib/nn/bad.c", "/* TO" + "DO */")
        self.assertEqual(self.rules(), [])

    def test_a_document_that_says_otherwise(self):
        self.write("docs/architecture.md", table({**check.MAY_INCLUDE, "nn": ["base", "audio"]}))
        self.assert_one(self.rules(), "docs/architecture.md", "lib/nn")
        self.write("docs/architecture.md",
                   table(daemon={**check.DAEMON_MAY_INCLUDE, "http": ["system", "captions"]}))
        self.assert_one(self.rules(), "docs/architecture.md", "daemon/http")

    def test_a_document_without_a_folder(self):
        rows = {key: value for key, value in check.MAY_INCLUDE.items() if key != "audio"}
        self.write("docs/architecture.md", table(rows))
        self.assert_one(self.rules(), "lib/audio")

    def test_a_readme_with_another_example(self):
        self.write("examples/transcribe.c", "int main(void);\n")
        self.assert_one(self.rules(), "README.md")

    def test_a_long_file_is_a_warning_only(self):
        self.write("lib/nn/long.c", "\n" * (check.LONG_FILE_LINES + 1))
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            check.warn_of_long_files(self.root)
        self.assertIn("lib/nn/long.c", said.getvalue())
        self.assertEqual(self.rules(), [])


class Symbols(Tree):
    def archive(self, source, text):
        """A static library of one object, named as Meson names it."""
        self.write(source, text)
        path, name = os.path.join(self.root, source), os.path.join(self.root, "libmade.a")
        subprocess.run(COMPILER + ["-w", "-c", path, "-o", path + ".o"], check=True)
        subprocess.run(["ar", "crs", name, path + ".o"], check=True)
        return name

    def test_nothing_special(self):
        archive = self.archive("good.c", "void *memory_allocate(long); void *f(void)"
            "{ return memory_allocate(8); }")
        self.assertEqual(list(check.check_symbols("nn", archive)), [])

    def test_each_without_its_grant(self):
        for call in ("malloc", "free", "pthread_create", "sf_open", "Pa_Initialize", "dnnl_x",
                     "grpc_init", "json_loads", "printf", "exit", "getenv"):
            with self.subTest(call=call):
                archive = self.archive("bad.c", f"int {call}(int); int f(void) {{ return {call}(1); }}")
                self.assert_one(check.check_symbols("encoder", archive), "lib/encoder/bad.c", call)

    def test_a_grant_is_for_its_file_alone(self):
        text = "int pthread_x(int); int f(void) { return pthread_x(1); }"
        self.assertEqual(
            list(check.check_symbols("recognizer", self.archive("engine.c", text))), [])
        os.remove(os.path.join(self.root, "libmade.a"))
        self.assert_one(
            check.check_symbols("recognizer", self.archive("turn.c", text)), "turn.c")

    def test_the_daemon(self):
        for call in ("grpc_init", "gpr_free", "protobuf_c_message_unpack", "steno__v1__x__pack",
                     "MHD_start_daemon", "EVP_sha256", "sd_notify"):
            with self.subTest(call=call):
                text = f"int {call}(int); int f(void) {{ return {call}(1); }}"
                archive = self.archive("bad.c", text)
                self.assert_one(
                    check.check_symbols("daemon/speech", archive), "daemon/speech/bad.c", call)
        text = "int grpc_x(int); int f(void) { return grpc_x(1); }"
        os.remove(archive)
        archive = self.archive("call.c", text)
        self.assertEqual(list(check.check_symbols("daemon/server", archive)), [])

    def test_an_archive_without_objects(self):
        name = os.path.join(self.root, "libempty.a")
        subprocess.run(["ar", "crs", name], check=True)
        self.assert_one(check.check_symbols("nn", name), "no object")


class Headers(Tree):
    def test_one_that_needs_another(self):
        self.assertEqual(list(check.check_headers(self.root, "c", COMPILER)), [])
        self.write("lib/include/steno/bad.h", "uint8_t x(void);\n")
        self.assert_one(check.check_headers(self.root, "c", COMPILER), "steno/bad.h")

    def test_no_headers(self):
        os.remove(os.path.join(self.root, "lib/include/steno/status.h"))
        self.assert_one(check.check_headers(self.root, "c", COMPILER), "no headers")


if __name__ == "__main__":
    unittest.main()
