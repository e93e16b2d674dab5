"""Where tools/install.sh puts the Python packages of requirements.txt. Importing this makes them importable."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build/interop/python"
sys.path.insert(0, str(FOLDER))
