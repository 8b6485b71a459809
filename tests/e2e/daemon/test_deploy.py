"""What comes for clusters (daemon/deploy, and the Dockerfile they start from): that Kubernetes and
Envoy would take it, by their own schemas, and that its parts agree with each other and the daemon.
Without npm, or its packages, only the latter."""

import functools
import json
import os
import pathlib
import re
import subprocess
import unittest

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

import certificates
import node
import running

try:
    import yaml
except ImportError:
    yaml = None

DEPLOY = running.SOURCE / "daemon" / "deploy"
FOLDER = os.environ["SCHEMAS_FOLDER"]


@functools.cache
def schemas():
    return node.Folder(running.SOURCE / "tests" / "e2e" / "daemon" / "schemas", FOLDER)


def seconds(duration):
    return float(duration.removesuffix("s"))


@unittest.skipIf(yaml is None, "python3-yaml is not installed")
class Kubernetes(running.ServerTest):
    def setUp(self):
        super().setUp()
        self.objects = {}
        self.files = {}
        for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
            for each in yaml.safe_load_all(path.read_text()):
                self.files[path.name] = each
                if "kind" in each and each["kind"] != "Kustomization":
                    self.objects[each["kind"]] = each
        self.pod = self.objects["Deployment"]["spec"]["template"]
        self.container = self.pod["spec"]["containers"][0]
        self.settings = self.objects["ConfigMap"]["data"]["stenod.conf"]

    def setting(self, name):
        return re.search(rf"(?m)^{name} = (.*)$", self.settings)[1]

    def test_schema(self):
        if schemas().unable:
            self.skipTest(schemas().unable)

        def complaints(objects):
            path = self.folder / "objects.json"
            path.write_text(json.dumps(list(objects)))
            result = schemas().run("kubernetes.js", path)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            return result.stdout

        self.assertEqual(complaints(self.objects.values()), "")
        # It would have said so.
        self.container["readinesProbe"] = {}
        self.assertIn("readinesProbe", complaints(self.objects.values()))
        del self.container["readinesProbe"]
        self.container["ports"][0]["containerPort"] = "grpc"
        self.assertIn("containerPort must be integer", complaints(self.objects.values()))

    def test_kustomization_has_them_all(self):
        listed = self.files["kustomization.yaml"]["resources"]
        self.assertEqual(sorted(listed + ["kustomization.yaml", "prometheus-adapter.yaml"]),
                         sorted(self.files))
        images = {image["name"] for image in self.files["kustomization.yaml"]["images"]}
        used = {c["image"] for c in self.pod["spec"]["containers"]
                + self.pod["spec"]["initContainers"]}
        self.assertEqual(used, images)

    def test_names(self):
        labels = self.pod["metadata"]["labels"].items()
        for kind in ("Deployment", "PodDisruptionBudget"):
            self.assertLessEqual(
                self.objects[kind]["spec"]["selector"]["matchLabels"].items(), labels)
        self.assertLessEqual(self.objects["Service"]["spec"]["selector"].items(), labels)
        self.assertLessEqual(
            self.objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items(), labels)
        target = self.objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
        self.assertEqual(target, {"apiVersion": self.objects["Deployment"]["apiVersion"],
                                  "kind": "Deployment",
                                  "name": self.objects["Deployment"]["metadata"]["name"]})
        volumes = {volume["name"] for volume in self.pod["spec"]["volumes"]}
        for container in self.pod["spec"]["containers"] + self.pod["spec"]["initContainers"]:
            self.assertLessEqual({m["name"] for m in container["volumeMounts"]}, volumes)
        config_maps = {v["configMap"]["name"] for v in self.pod["spec"]["volumes"]
                       if "configMap" in v}
        self.assertEqual(config_maps, {self.objects["ConfigMap"]["metadata"]["name"]})

    def test_ports(self):
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.assertEqual(self.setting("listen"), f"tls:0.0.0.0:{ports['grpc']}")
        self.assertEqual(self.setting("http"), f"0.0.0.0:{ports['http']}")
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertIn(self.container[probe]["httpGet"]["port"], ports)
        self.assertEqual(self.pod["metadata"]["annotations"]["prometheus.io/port"],
                         str(ports["http"]))
        service = self.objects["Service"]["spec"]["ports"][0]
        self.assertEqual(service["port"], ports[service["targetPort"]])
        allowed = {port["port"] for rule in self.objects["NetworkPolicy"]["spec"]["ingress"]
                   for port in rule["ports"]}
        self.assertEqual(allowed, set(ports.values()))

    def test_times_and_sizes(self):
        notice, drain = int(self.setting("notice-seconds")), int(self.setting("drain-seconds"))
        self.assertGreater(self.pod["spec"]["terminationGracePeriodSeconds"], notice + drain)
        ready = self.container["readinessProbe"]
        self.assertGreater(notice, ready["periodSeconds"] * ready["failureThreshold"])
        metric = self.objects["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]
        self.assertLess(int(metric["target"]["averageValue"]), int(self.setting("max-streams")))
        self.assertIn(metric["metric"]["name"],
                      self.files["prometheus-adapter.yaml"]["rules"]["custom"][0]["seriesQuery"])
        source = (running.SOURCE / "daemon" / "monitoring" / "metrics.c").read_text()
        self.assertIn('"' + metric["metric"]["name"] + '"', source)
        # What docs/operations.md says under Size.
        resources = self.container["resources"]
        self.assertEqual(resources["requests"], resources["limits"])
        needed_mb = 80 + 4 * int(self.setting("max-streams")) + 256 + 512
        self.assertGreater(int(resources["limits"]["memory"].removesuffix("Gi")) * 1024, needed_mb)
        self.assertEqual(int(self.setting("max-streams")), 50 * int(resources["limits"]["cpu"]))

    def test_rights(self):
        security = self.pod["spec"]["securityContext"]
        self.assertTrue(security["runAsNonRoot"])
        docker = (running.SOURCE / "Dockerfile").read_text()
        self.assertEqual(re.search(r"(?m)^USER (\d+)$", docker)[1], str(security["runAsUser"]))
        for container in self.pod["spec"]["containers"] + self.pod["spec"]["initContainers"]:
            own = container["securityContext"]
            self.assertTrue(own["readOnlyRootFilesystem"])
            self.assertFalse(own["allowPrivilegeEscalation"])
            self.assertEqual(own["capabilities"], {"drop": ["ALL"]})

    @unittest.skipIf(certificates.UNABLE, certificates.UNABLE)
    def test_settings(self):
        """The daemon serves by them, with files and addresses of this machine."""
        certificate, key = certificates.Authority(self.folder).issue("server")
        model = os.environ["STENO_TINY_MODEL"]
        text = self.settings
        for old, new in (("/etc/stenod/tls/tls.crt", certificate),
                         ("/etc/stenod/tls/tls.key", key), ("/models/en.safetensors", model),
                         ("tls:0.0.0.0:50051", "tls:0.0.0.0:0"), ("0.0.0.0:9464", "0.0.0.0:0")):
            self.assertIn(old, text)
            text = text.replace(old, str(new))
        path = self.folder / "stenod.conf"
        path.write_text(text)
        program = self.start([os.environ["STENOD"], "--config", path, "--threads", 1])
        program.wait_for(r"listening on tls:0.0.0.0:\d+")
        program.tell()
        program.wait_for("taking streams for another 15 s, then ending when they have, after 900 s")
        program.tell()
        self.assertEqual(program.finish(), 0)


@unittest.skipIf(yaml is None, "python3-yaml is not installed")
class Envoy(unittest.TestCase):
    def setUp(self):
        self.settings = yaml.safe_load((DEPLOY / "envoy.yaml").read_text())
        self.static = self.settings["static_resources"]
        self.manager = self.static["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        (self.cluster,) = self.static["clusters"]

    def types(self, root):
        """The settings' own "@type"s."""
        if isinstance(root, dict):
            found = {root["@type"].removeprefix("type.googleapis.com/")} if "@type" in root else set()
            return found.union(*map(self.types, root.values()))
        return set().union(*map(self.types, root)) if isinstance(root, list) else set()

    def messages(self):
        """Envoy's messages, from the .proto files that npm's @grpc/grpc-js-xds brings."""
        if schemas().unable:
            self.skipTest(schemas().unable)
        source = pathlib.Path(FOLDER, "node_modules", "@grpc", "grpc-js-xds", "deps")
        roots = [pathlib.Path(FOLDER, "protos", name)
                 for name in ("envoy-api", "xds", "googleapis", "protoc-gen-validate")]
        for root in roots:
            for path in (source / root.name).rglob("*.proto"):
                copy = root / path.relative_to(source / root.name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                # The rules for values beside them are of an older day and do not know this one.
                copy.write_text(re.sub(r",?\s*ignore_empty: true", "", path.read_text()))
        wanted = ["envoy/config/bootstrap/v3/bootstrap.proto"]
        declared = {}
        for path in roots[0].rglob("*.proto"):
            package = re.search(r"(?m)^package ([\w.]+);", path.read_text())
            for name in re.findall(r"(?m)^message (\w+)", path.read_text()):
                declared[f"{package[1]}.{name}"] = str(path.relative_to(roots[0]))
        self.assertLessEqual(self.types(self.settings), set(declared))
        wanted += [declared[name] for name in self.types(self.settings)]
        out = pathlib.Path(FOLDER, "envoy.pb")
        subprocess.run([os.environ["PROTOC"], *(f"-I{root}" for root in roots), "--include_imports",
                        f"--descriptor_set_out={out}", *sorted(set(wanted))], check=True,
                       capture_output=True)
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file:
            pool.Add(file)
        return pool

    def test_schema(self):
        pool = self.messages()
        bootstrap = pool.FindMessageTypeByName("envoy.config.bootstrap.v3.Bootstrap")
        make = message_factory.MessageFactory(pool).GetPrototype(bootstrap)
        json_format.ParseDict(self.settings, make(), descriptor_pool=pool)
        # It would have said so.
        for place in (self.cluster, self.manager):
            place["no_such_field"] = 1
            with self.assertRaisesRegex(json_format.ParseError, "no_such_field"):
                json_format.ParseDict(self.settings, make(), descriptor_pool=pool)
            del place["no_such_field"]

    def test_what_streams_need(self):
        (host,) = self.manager["route_config"]["virtual_hosts"]
        (route,) = host["routes"]
        self.assertEqual(route["route"]["cluster"], self.cluster["name"])
        self.assertEqual(self.cluster["load_assignment"]["cluster_name"], self.cluster["name"])
        for place, name in ((route["route"], "timeout"), (route["route"], "idle_timeout"),
                            (self.manager, "stream_idle_timeout"), (self.manager, "request_timeout")):
            self.assertEqual(seconds(place[name]), 0, name)
        self.assertEqual(self.manager["codec_type"], "HTTP2")
        options = self.cluster["typed_extension_protocol_options"][
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
        self.assertIn("http2_protocol_options", options["explicit_http_config"])
        # gRPC's C core takes pings this often.
        keepalive = options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"]
        self.assertGreaterEqual(seconds(keepalive["interval"]), 10)
        (health,) = self.cluster["health_checks"]
        self.assertEqual(health["grpc_health_check"], {})
        self.assertIn("outlier_detection", self.cluster)

    def test_it_goes_with_kubernetes(self):
        folder = DEPLOY / "kubernetes"
        service = yaml.safe_load((folder / "service.yaml").read_text())
        address = self.cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"][
            "address"]["socket_address"]
        self.assertEqual((address["address"], address["port_value"]),
                         (service["metadata"]["name"], service["spec"]["ports"][0]["port"]))
        self.assertEqual(service["spec"]["clusterIP"], "None")
        settings = yaml.safe_load((folder / "configmap.yaml").read_text())["data"]["stenod.conf"]
        notice = int(re.search(r"(?m)^notice-seconds = (\d+)$", settings)[1])
        (health,) = self.cluster["health_checks"]
        learns = (seconds(health["interval"]) + seconds(health["timeout"])
                  ) * health["unhealthy_threshold"]
        self.assertGreater(notice, learns)


if __name__ == "__main__":
    unittest.main()
