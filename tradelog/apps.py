from django.apps import AppConfig


class TradelogConfig(AppConfig):
    name = "tradelog"

    def ready(self) -> None:
        from tradelog import checks  # noqa: F401  (registers them)
