"""Names that appear in Temporal Web and in other people's SDK calls. They never change silently."""

from enum import StrEnum
from typing import Final


class TaskQueue(StrEnum):
    """One queue per capability that scales as its own worker."""

    WORKFLOWS = "prism-workflows"
    MODEL = "prism-model"
    SANDBOX = "prism-sandbox"
    SCANS = "prism-scans"
    NOTIFICATIONS = "prism-notifications"


class WorkflowName(StrEnum):
    """Workflow types."""

    CATALOG = "CatalogWorkflow"
    ROW = "RowWorkflow"
    DELIVERY = "DeliveryWorkflow"
    ROTATION = "SecretRotationWorkflow"
    FOLDER_SCAN = "FolderScanWorkflow"
    TRAINING_DATA = "TrainingDataWorkflow"
    REFLECTION = "ReflectionWorkflow"


class ActivityName(StrEnum):
    """Activity types, ``<capability>.<verb>``."""

    OPEN_RUN = "records.open_run"
    CHANGE_RUN = "records.change_run"
    RECORD_ROW = "records.record_row"
    CHANGE_ROWS = "records.change_rows"
    ROW_ENDING = "records.row_ending"
    STEERED = "records.steered"
    PLAN_PAGE = "plans.page"
    LOCATE = "plans.locate"
    ADMIT = "policy.admit"
    RELEASE = "policy.release"
    COMPOSE = "prompts.compose"
    ROUTE = "routing.route"
    COMPLETE = "model.complete"
    JUDGE = "model.judge"
    VERIFY = "verification.verify"
    STRUCTURE = "verification.structure"
    CHECK_TOOL = "tools.check"
    SCAN = "scans.scan"
    SCAN_CODE = "scans.scan_code"
    SCAN_FILES = "scans.scan_files"
    SCAN_FOLDER = "scans.scan_folder"
    EXECUTE = "sandbox.execute"
    SEAL = "provenance.seal"
    SEAL_RUN = "provenance.seal_run"
    NOTIFY = "notifications.notify"
    DELIVER_DUE = "notifications.deliver_due"
    OPEN_REVIEW = "reviews.open"
    RECORD_REVIEW = "reviews.record"
    ATTACH_ANSWERS = "reviews.attach_answers"
    ROTATE_DUE = "secrets.rotate_due"
    COLLECT_PAIRS = "feedback.collect_pairs"
    GATHER_EVIDENCE = "reflections.gather"
    SETTLE_REFLECTION = "reflections.settle"
    RETRIEVE = "knowledge.retrieve"
    VOTE = "teams.vote"
    CHOOSE = "teams.choose"
    LIST_ITEMS = "teams.list_items"
    READ_PROPOSAL = "planning.read"
    GROW_PLAN = "planning.grow"
    GROW_RUN = "records.grow_run"


class SearchAttribute(StrEnum):
    """Custom search attributes, all of type Keyword."""

    RUN = "PrismRun"
    ROW = "PrismRow"
    BOARD = "PrismBoard"
    STATUS = "PrismStatus"
    REVIEW = "PrismReview"


class ErrorCode(StrEnum):
    """Codes of the error language: the ``type`` of an ApplicationError, ``error.code`` over HTTP."""

    # catalog validation
    INVALID_CATALOG = "INVALID_CATALOG"
    INVALID_TASK_DEFINITION = "INVALID_TASK_DEFINITION"
    MISSING_COLUMN = "MISSING_COLUMN"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    EMPTY_COLUMN_NAME = "EMPTY_COLUMN_NAME"
    EMPTY_CATALOG = "EMPTY_CATALOG"
    DUPLICATE_ID = "DUPLICATE_ID"
    INVALID_ID = "INVALID_ID"
    UNKNOWN_DEPENDENCY = "UNKNOWN_DEPENDENCY"
    DEPENDENCY_CYCLE = "DEPENDENCY_CYCLE"
    INVALID_VALUE = "INVALID_VALUE"
    INVALID_TEMPLATE = "INVALID_TEMPLATE"
    INVALID_CRITERION = "INVALID_CRITERION"
    WRONG_FIELD_COUNT = "WRONG_FIELD_COUNT"
    MALFORMED_CSV = "MALFORMED_CSV"
    UNDECODABLE_BYTES = "UNDECODABLE_BYTES"
    NUL_BYTE = "NUL_BYTE"
    CELL_TOO_LARGE = "CELL_TOO_LARGE"
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN"
    # a row's life
    POLICY_DENIED = "POLICY_DENIED"
    POLICY_UNAVAILABLE = "POLICY_UNAVAILABLE"
    POLICY_CHANGED = "POLICY_CHANGED"
    SCAN_FORBIDDEN = "SCAN_FORBIDDEN"
    TEMPLATE_FAILED = "TEMPLATE_FAILED"
    MODEL_REFUSED = "MODEL_REFUSED"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    NO_LOCAL_MODEL = "NO_LOCAL_MODEL"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    BUDGET_SPENT = "BUDGET_SPENT"
    VERIFICATION_FAILED = "VERIFICATION_FAILED"
    NO_AGREEMENT = "NO_AGREEMENT"
    INVALID_LIST = "INVALID_LIST"
    INVALID_PROPOSAL = "INVALID_PROPOSAL"
    PRIVILEGE_RAISED = "PRIVILEGE_RAISED"
    ROWS_REFUSED = "ROWS_REFUSED"
    UNKNOWN_COLLECTION = "UNKNOWN_COLLECTION"
    KNOWLEDGE_UNAVAILABLE = "KNOWLEDGE_UNAVAILABLE"
    SECRETS_IN_OUTPUT = "SECRETS_IN_OUTPUT"
    SCANNER_FAILED = "SCANNER_FAILED"
    CODE_FAILED = "CODE_FAILED"
    SANDBOX_UNAVAILABLE = "SANDBOX_UNAVAILABLE"
    REVIEW_REJECTED = "REVIEW_REJECTED"
    REVIEW_EXPIRED = "REVIEW_EXPIRED"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    # a decision that is refused
    REVIEW_NOT_OPEN = "REVIEW_NOT_OPEN"
    STALE_ROUND = "STALE_ROUND"
    NOT_A_REVIEWER = "NOT_A_REVIEWER"
    OWN_ROW = "OWN_ROW"
    ALREADY_DECIDED = "ALREADY_DECIDED"
    CLAIMED = "CLAIMED"
    INVALID_DECISION = "INVALID_DECISION"
    INVALID_LINK = "INVALID_LINK"
    ROWS_FAILED = "ROWS_FAILED"
    CANCELLED = "CANCELLED"
    # stores
    ARTIFACT_NOT_FOUND = "ARTIFACT_NOT_FOUND"
    ARTIFACT_CORRUPT = "ARTIFACT_CORRUPT"
    PROVENANCE_INVALID = "PROVENANCE_INVALID"
    SIGNER_UNAVAILABLE = "SIGNER_UNAVAILABLE"
    RECORDS_UNAVAILABLE = "RECORDS_UNAVAILABLE"
    AUDIT_TAMPERED = "AUDIT_TAMPERED"
    SECRET_NOT_FOUND = "SECRET_NOT_FOUND"  # noqa: S105 -- a code, no secret
    INVALID_SECRET = "INVALID_SECRET"  # noqa: S105 -- likewise
    SECRETS_UNAVAILABLE = "SECRETS_UNAVAILABLE"
    SECRETS_FORBIDDEN = "SECRETS_FORBIDDEN"
    # front doors
    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    TOKEN_REUSED = "TOKEN_REUSED"  # noqa: S105 -- a code, no secret
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    VALIDATION_FAILED = "VALIDATION_FAILED"
    TEMPORAL_UNAVAILABLE = "TEMPORAL_UNAVAILABLE"
    UNKNOWN_ENCRYPTION_KEY = "UNKNOWN_ENCRYPTION_KEY"
    PAYLOAD_TAMPERED = "PAYLOAD_TAMPERED"
    INTERNAL = "INTERNAL"
    # the embedded system
    PORT_IN_USE = "PORT_IN_USE"
    ALREADY_RUNNING = "ALREADY_RUNNING"
    DATABASE_CORRUPT = "DATABASE_CORRUPT"
    PART_FAILED = "PART_FAILED"
    INVALID_SETTINGS = "INVALID_SETTINGS"
    API_UNREACHABLE = "API_UNREACHABLE"


DEFAULT_NAMESPACE: Final = "default"
# The one workflow that brings notifications out of the house.
DELIVERY_WORKFLOW_ID: Final = "notifications/delivery"
# The schedule that looks after the age of secrets, and what its workflows' ids begin with.
ROTATION_SCHEDULE_ID: Final = "secrets/rotation"
# The schedule that makes data sets of preference pairs.
TRAINING_SCHEDULE_ID: Final = "feedback/training-data"
# Of each agent that the calendar reflects on; its name follows.
REFLECTION_SCHEDULES: Final = "reflections/daily/"
# Of each reflection; its id follows.
REFLECTION_WORKFLOWS: Final = "reflections/"
# Of each folder that is scanned again and again; a part that names the folder follows.
SCAN_SCHEDULES: Final = "scans/every/"
