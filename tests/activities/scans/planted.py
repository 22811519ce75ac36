"""A repository with one fault of each kind, written where a test wants it."""

from pathlib import Path

FILES = {
    "app.py": "import pickle\nimport subprocess\n\n\n"
    "def run(command):\n    return subprocess.call(command, shell=True)\n\n\n"
    "def load(data):\n    return pickle.loads(data)\n\n\ndef evaluate(text):\n    return eval(text)\n",
    "page.js": "function show(text) {\n  document.body.innerHTML = text;\n  return eval(text);\n}\n",
    "main.tf": 'resource "aws_s3_bucket" "b" {\n  bucket = "open"\n  acl    = "public-read"\n}\n\n'
    'resource "aws_security_group" "g" {\n  ingress {\n    from_port   = 22\n    to_port     = 22\n'
    '    protocol    = "tcp"\n    cidr_blocks = ["0.0.0.0/0"]\n  }\n}\n',
    "Dockerfile": 'FROM debian:latest\nUSER root\nRUN apt-get update\nCMD ["bash"]\n',
    "requirements.txt": "requests==2.31.0\njinja2==3.1.2\npyyaml==5.3\n",
    "deploy.env": "aws_access_key_id = AKIA" + "QWERTYUIOP234567\n",
}


def plant(folder: Path) -> Path:
    """Write the repository into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        (folder / name).write_text(content)
    return folder
