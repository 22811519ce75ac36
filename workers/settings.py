"""The one settings object, built in ``main`` from the environment (``PRISM_*``) and passed down."""

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.artifacts.contracts import INLINE_LIMIT_BYTES
from temporal.address import TemporalAddress
from temporal.names import DEFAULT_NAMESPACE
from workflows.contracts import DEFAULT_CONCURRENCY


class Settings(BaseSettings):
    """Everything that differs between a laptop and a cluster.

    Args:
        home: Folder of the embedded system's state.
        temporal_address: ``host:port`` of a real cluster; empty starts the embedded dev server.
        encryption: ``on`` encrypts what Temporal stores of a row; what was plain stays readable.
        encryption_key_file: File of its keys, the same for all processes; empty means one under ``home``.
        database_url: SQLAlchemy URL of the records; empty means SQLite under ``home``.
        model_url: An OpenAI-compatible endpoint; set, it is the default model group.
        model_local: Whether that endpoint is of the house, so that data goes there which may not leave it.
        model_stream: Whose text is shown as it arrives: the embedded model's, or that of all models.
        vault_url: A Vault or OpenBao server that keeps secrets; empty keeps them in an encrypted file under ``home``.
        vault_token: A token for it, which somebody else renews.
        vault_role_id: The AppRole that logs in there, with ``vault_secret_id``.
        vault_kubernetes_role: The role that the pod's service account logs in as.
        vault_mount: Where its KV engine is mounted.
        secrets_rotation_days: How old a secret may become; 0 asks for no rotation.
        secrets_warning_days: How many days before that administrators are told.
        secrets_overlap_days: For how long a replaced version still counts; then it is destroyed.
        model_slots: How many model calls one worker has under way.
        model_calls_per_second: Most that begin in a second over all workers together, held by the Temporal server;
            empty for no limit.
        models: YAML file of models and their groups; empty means what the environment offers.
        cache: Whether model calls of rows that do not say may be answered by what the same call was answered before.
        cache_hours: How long an answer serves.
        cache_url: Redis or Valkey server that shares answers among gateways; empty means the records database does.
        cache_embeddings: Deployment whose vectors tell similar requests, ``provider/model``; empty has none looked for.
        cache_embeddings_url: An OpenAI-compatible endpoint that it is of, up to ``/v1``.
        cache_embeddings_local: Whether that endpoint is of the house; one on loopback is anyway.
        cache_similarity: Least cosine similarity of requests that may have the same answer.
        budgets: YAML file that says what model calls may cost per day, month, board and run; empty means no limit.
        tools: YAML file of programs that models may have run; empty means none.
        prices: YAML file of prices that go before the bundled ones.
        signing_transit_key: Key of the Vault server's transit engine that signs; empty signs with a key file.
        signing_transit_mount: Where that engine is mounted.
        sigstore: ``on`` has the seals of runs signed by sigstore too, in the name of an identity.
        sigstore_token_file: Holds the OpenID Connect token of that identity; without it, what the surroundings offer.
        sigstore_trust: Client trust configuration of another instance than the public one.
        judge_group: Model group that judges free-text criteria; empty leaves them unverified.
        auth: ``on`` asks for users and tokens; ``off`` takes whoever reaches the API for the person at this machine.
        requests_per_minute: How many requests one user, token or address may send while ``auth`` is on.
        oidc_issuer: Address of an OpenID Connect provider that lets people in; empty for none.
        oidc_client_id: What the provider knows this installation by.
        oidc_client_secret: What proves that to it.
        oidc_roles_claim: Claim whose values are roles here; empty leaves roles to administrators.
        api_token: Bearer token of this installation's own service; with ``auth`` off every request must carry it.
        gateway_socket: Unix socket of the model gateway; empty means one under ``home``.
        sandbox: What runs code of catalogs and models.
        sandbox_image: Image of its containers; has bash, coreutils, python3 and node.
        sandbox_runtime: OCI runtime of its containers, such as ``runsc``, in a cluster a RuntimeClass; empty for the
            default.
        sandbox_namespace: Namespace of a cluster where its pods run.
        sandbox_kubeconfig: Which cluster, and who asks there; without it, the one that this process runs in.
        docker_host: Address of the Docker engine, ``unix://…`` or ``tcp://…``.
        scan_folders: Folders that are scanned when asked for and by the calendar, absolute, divided by ``:``.
        scan_every_hours: How often; 0 only when asked for.
        pairs_wanted: How many new preference pairs make a data set for training; 0 never.
        reflect_daily: Agents that the calendar reflects on, divided by ``,``.
        reflection_evidence: How many pieces of evidence a reflection on an agent takes, where nobody says otherwise.
        trivy_cache: Trivy's cache folder with its database of vulnerabilities; without it, ``trivy`` under ``home``
            where there is one.
        codeql: Program of CodeQL; empty means the one on the path, if there is one.
        policies: Folder of Rego policies; empty means those that ship. Changes are taken up as they are made.
        opa_url: Address of an OPA server that decides what may run; empty means the policies in that folder decide.
        opa_token: Bearer token that server asks for.
        opa_timeout_seconds: Longest it may take to decide on one row.
        agents: Folder of agents of one's own, one YAML file each; they go before those that ship under the same name.
        knowledge: Folder whose subfolders are the collections of documents that rows may name.
        approval_rules: YAML file that says which rows whose approval takes; empty means none beyond catalog and policy.
        notification_rules: YAML file that says what is told outside of Prism; empty means nothing.
    """

    model_config = SettingsConfigDict(env_prefix="PRISM_", frozen=True, extra="ignore")

    home: Path = Path(".prism")

    temporal_address: str = ""
    temporal_namespace: str = DEFAULT_NAMESPACE
    temporal_tls: bool = False
    temporal_client_cert: Path | None = None
    temporal_client_key: Path | None = None
    temporal_server_ca: Path | None = None
    temporal_api_key: SecretStr | None = None
    encryption: Literal["off", "on"] = "off"
    encryption_key_file: Path | None = None
    temporal_port: int = Field(default=7233, ge=1, le=65535)
    temporal_ui_port: int = Field(default=8233, ge=1, le=65535)
    temporal_ui_url: str = ""

    database_url: str = ""
    inline_limit_bytes: PositiveInt = INLINE_LIMIT_BYTES
    gateway_socket: Path | None = None

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=4000, ge=1, le=65535)
    api_token: SecretStr | None = None
    auth: Literal["off", "on"] = "on"
    requests_per_minute: PositiveInt = 6000
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_roles_claim: str = ""
    api_url: str = ""
    max_body_bytes: PositiveInt = 64 * 1024 * 1024

    model_url: str = ""
    model_name: str = ""
    model_key: SecretStr | None = None
    model_local: bool = False
    model_slots: PositiveInt = 200
    model_calls_per_second: PositiveFloat | None = None
    model_stream: Literal["local", "all"] = "local"
    vault_url: str = ""
    vault_token: SecretStr | None = None
    vault_role_id: str = ""
    vault_secret_id: SecretStr | None = None
    vault_kubernetes_role: str = ""
    vault_mount: str = "secret"
    vault_namespace: str = ""
    vault_ca: Path | None = None
    secrets_rotation_days: NonNegativeInt = 90
    secrets_warning_days: NonNegativeInt = 14
    secrets_overlap_days: PositiveInt = 7

    models: Path | None = None
    signing_transit_key: str = ""
    signing_transit_mount: str = "transit"
    sigstore: Literal["off", "on"] = "off"
    sigstore_token_file: Path | None = None
    sigstore_trust: Path | None = None

    cache: Literal["off", "on"] = "off"
    cache_hours: PositiveFloat = 24.0
    cache_url: SecretStr | None = None
    cache_embeddings: str = ""
    cache_embeddings_url: str = ""
    cache_embeddings_key: SecretStr | None = None
    cache_embeddings_local: bool = False
    cache_similarity: float = Field(default=0.95, gt=0, le=1)
    budgets: Path | None = None
    prices: Path | None = None
    tools: Path | None = None
    default_group: str = ""
    judge_group: str = ""

    sandbox: Literal["bubblewrap", "docker", "kubernetes"] = "bubblewrap"
    sandbox_image: str = "prism-sandbox"
    sandbox_runtime: str = ""
    sandbox_namespace: str = "prism-sandbox"
    sandbox_kubeconfig: Path | None = None
    docker_host: str = "unix:///var/run/docker.sock"

    scan_folders: str = ""
    scan_every_hours: NonNegativeInt = 24
    pairs_wanted: NonNegativeInt = 0
    reflect_daily: str = ""
    reflection_evidence: PositiveInt = 3
    trivy_cache: Path | None = None
    codeql: str = ""

    policies: Path | None = None
    opa_url: str = ""
    opa_token: SecretStr | None = None
    opa_timeout_seconds: float = Field(default=2.0, gt=0, le=15)

    agents: Path | None = None
    knowledge: Path | None = None

    approval_rules: Path | None = None
    notification_rules: Path | None = None

    concurrency: PositiveInt = DEFAULT_CONCURRENCY
    max_cached_workflows: PositiveInt = 500
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"

    @property
    def embedded(self) -> bool:
        """Whether the Temporal server is ours to start."""
        return not self.temporal_address

    @property
    def temporal(self) -> TemporalAddress:
        """Where the Temporal server is."""
        return TemporalAddress(
            target=self.temporal_address or f"127.0.0.1:{self.temporal_port}",
            namespace=self.temporal_namespace,
            tls=self.temporal_tls,
            client_cert=self.temporal_client_cert,
            client_key=self.temporal_client_key,
            server_ca=self.temporal_server_ca,
            api_key=self.temporal_api_key,
            encryption_keys=self.encryption_keys if self.encryption == "on" else None,
        )

    @property
    def scanned_folders(self) -> tuple[str, ...]:
        """Folders that are scanned."""
        return tuple(folder for folder in self.scan_folders.split(":") if folder)

    @property
    def reflected_agents(self) -> tuple[str, ...]:
        """Agents that the calendar reflects on."""
        return tuple(agent for part in self.reflect_daily.split(",") if (agent := part.strip()))

    @property
    def knowledge_index(self) -> Path:
        """File of the full-text index over the documents."""
        return self.home.resolve() / "knowledge.db"

    @property
    def vulnerabilities(self) -> Path | None:
        """Trivy's cache folder, where packages are to be looked up in its database; ``None`` where there is none."""
        default = self.home.resolve() / "trivy"
        return self.trivy_cache or (default if (default / "db" / "trivy.db").is_file() else None)

    @property
    def records_url(self) -> str:
        """SQLAlchemy URL of the records database."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'records.db'}"

    @property
    def artifacts(self) -> Path:
        """Folder of the artifact store."""
        return self.home.resolve() / "artifacts"

    @property
    def signing_key(self) -> Path:
        """File of the Ed25519 signing key."""
        return self.home.resolve() / "keys" / "signing.pem"

    @property
    def public_key(self) -> Path:
        """File of the public key, for those who verify."""
        return self.signing_key.with_suffix(".pub.pem")

    @property
    def public_keys(self) -> Path:
        """Folder of every public key that ever signed here."""
        return self.home.resolve() / "keys" / "public"

    @property
    def audit_anchor(self) -> Path:
        """File of the newest signed checkpoint of the audit log."""
        return self.home.resolve() / "keys" / "audit-checkpoint.json"

    @property
    def identity_secret(self) -> Path:
        """File of the secret that signs access tokens."""
        return self.home.resolve() / "keys" / "identity.key"

    @property
    def encryption_keys(self) -> Path:
        """File of the keys that encrypt Temporal payloads."""
        return self.encryption_key_file or self.home.resolve() / "keys" / "encryption.keys"

    @property
    def secrets_file(self) -> Path:
        """File of the embedded store of secrets."""
        return self.home.resolve() / "secrets.json"

    @property
    def secrets_key(self) -> Path:
        """File of the key to it, where no keyring holds that."""
        return self.home.resolve() / "keys" / "secrets.key"

    @property
    def socket(self) -> Path:
        """Unix socket of the model gateway."""
        return self.gateway_socket or self.home.resolve() / "gateway.sock"

    @property
    def own_token_file(self) -> Path:
        """Where the token of the system that runs on this state is, while it runs."""
        return self.home / "up.token"

    @property
    def console_url(self) -> str:
        """Where the API and the console are reached."""
        return self.api_url or f"http://{self.api_host}:{self.api_port}"

    @property
    def web_url(self) -> str:
        """Where Temporal Web is reached; empty when unknown."""
        return self.temporal_ui_url or (f"http://127.0.0.1:{self.temporal_ui_port}" if self.embedded else "")
