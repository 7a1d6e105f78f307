DEFAULT_DEVICE_PATH = "/var/run/nsm"


class NsmTransport:
    def __init__(self, device_path=None):
        raise AssertionError("the SDK's own transport was taken")


def default_device_path():
    return DEFAULT_DEVICE_PATH


def sdk_version():
    return "1.0.0"
