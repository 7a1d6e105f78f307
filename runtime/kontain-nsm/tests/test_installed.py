import importlib.metadata
import os
import sysconfig
import unittest

import kontain_nsm


class Installed(unittest.TestCase):
    """It is the wheel that is tested, not the sources beside."""

    def test_where_it_is(self):
        self.assertEqual(os.path.dirname(os.path.dirname(kontain_nsm.__file__)), sysconfig.get_path("purelib"))

    def test_what_is_installed(self):
        found = importlib.metadata.distribution("kontain-nsm")
        self.assertIsNone(found.requires)
        names = {str(path) for path in found.files if not str(path).endswith(".pyc")}
        self.assertIn("kontain_nsm.pth", names)
        self.assertFalse([name for name in names if not name.endswith((".py", ".pth")) and ".dist-info/" not in name])
