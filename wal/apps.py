from django.apps import AppConfig


class WalConfig(AppConfig):
    name = "wal"
    verbose_name = "Write-ahead log"
