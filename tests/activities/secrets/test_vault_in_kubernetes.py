"""Login by a pod's service account: a real OpenBao server, which asks a stand-in for the cluster whose token it is."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from activities.secrets.contracts import SecretsForbidden
from activities.secrets.vault import KubernetesLogin, Vault, VaultAddress
from tests.activities.secrets.bao import Bao
from tests.temporal.test_mutual_tls import Authority

CLUSTER = ec.generate_private_key(ec.SECP256R1())
REVIEW = "/apis/authentication.k8s.io/v1/tokenreviews"


def token(account: str, key: ec.EllipticCurvePrivateKey = CLUSTER) -> str:
    """Return a token as a cluster projects it into a pod."""
    bound = {"namespace": "apps", "serviceaccount": {"name": account, "uid": f"uid-{account}"}}
    now = int(time.time())
    claims = {"iss": "cluster", "aud": ["bao"], "iat": now, "exp": now + 600, "kubernetes.io": bound}
    return jwt.encode(claims | {"sub": f"system:serviceaccount:apps:{account}"}, key, algorithm="ES256")


class Cluster(BaseHTTPRequestHandler):
    """Answers reviews of tokens (https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/)."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == REVIEW
        try:
            claims = jwt.decode(review["spec"]["token"], CLUSTER.public_key(), ["ES256"], audience="bao")
            user = {"username": claims["sub"], "uid": claims["kubernetes.io"]["serviceaccount"]["uid"]}
            user |= {"groups": ["system:serviceaccounts"]}
            status = {"authenticated": True, "user": user, "audiences": review["spec"].get("audiences", [])}
        except jwt.InvalidTokenError:
            status = {"authenticated": False, "error": "not a token of this cluster"}
        data = json.dumps(review | {"status": status}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def role(bao: Bao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A role of the service account ``prism``."""
    cluster = ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    thread = threading.Thread(target=cluster.serve_forever, daemon=True)
    thread.start()
    bao.client.sys.enable_auth_method("kubernetes")
    bao.client.sys.create_or_update_policy(
        "pods", 'path "secret/*" { capabilities = ["create", "read", "update", "list"] }'
    )
    host = f"http://127.0.0.1:{cluster.server_port}"
    # Asked for, and of no use to a stand-in without TLS.
    authority = Authority(tmp_path_factory.mktemp("cluster"), "cluster").certificate.read_text()
    where = {"kubernetes_host": host, "kubernetes_ca_cert": authority, "disable_local_ca_jwt": True}
    where["token_reviewer_jwt"] = token("reviewer")
    bao.client.write_data("auth/kubernetes/config", data=where)
    bound = {"bound_service_account_names": "prism", "bound_service_account_namespaces": "apps"}
    bao.client.write_data("auth/kubernetes/role/prism", data=bound | {"token_policies": "pods", "token_ttl": "60s"})
    yield "prism"
    cluster.shutdown()
    cluster.server_close()
    thread.join()


def in_pod(bao: Bao, role: str, file: Path) -> Vault:
    login = KubernetesLogin(role=role, token_file=file)
    return Vault(VaultAddress(url=bao.url, login=login, prefix="pods"))


async def test_a_pods_service_account_gets_in_and_stays_in_with_the_token_that_it_has_then(
    bao: Bao, role: str, tmp_path: Path
) -> None:
    (file := tmp_path / "token").write_text(token("prism"))
    vault = in_pod(bao, role, file)
    await vault.put("key", {"value": SecretStr("x")})
    first = vault._client.token
    file.write_text(token("prism"))
    vault._login_before -= 41
    assert (await vault.get("key")).fields["value"].get_secret_value() == "x"
    assert vault._client.token != first


@pytest.mark.parametrize(
    "given", [token("somebody"), token("prism", ec.generate_private_key(ec.SECP256R1()))], ids=["other", "forged"]
)
async def test_another_account_and_a_forged_token_are_refused_and_not_told(
    bao: Bao, role: str, tmp_path: Path, given: str
) -> None:
    (file := tmp_path / "token").write_text(given)
    with pytest.raises(SecretsForbidden) as refused:
        await in_pod(bao, role, file).get("key")
    assert given not in str(refused.value) + str(refused.value.details)
