"""Mails a second of django-drip-campaigns on SQLite over SMTP: one drip to COUNT users, as its command sends it.

    python send-drip.py DIRECTORY PORT COUNT

Prints "mails seconds".
"""

import logging
import os
import sys
import time

import django
from django.conf import settings


def main() -> None:
    directory, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.path.join(directory, "drip.sqlite"),
            }
        },
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "drip",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        DEFAULT_FROM_EMAIL="news@example.com",
        SECRET_KEY="benchmark",
        USE_TZ=True,
    )
    django.setup()
    logging.disable(logging.CRITICAL)
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from drip.models import Drip, QuerySetRule

    call_command("migrate", verbosity=0)
    User.objects.bulk_create(
        User(
            username=f"contact-{number}",
            email=f"contact-{number}@d{number % 50}.example.org",
            first_name="Ann",
        )
        for number in range(count)
    )
    with open(os.path.join(os.path.dirname(__file__), "drip.html")) as file:
        body = file.read()
    drip = Drip.objects.create(
        name="news",
        enabled=True,
        subject_template="News for {{ user.first_name }}",
        body_html_template=body,
    )
    QuerySetRule.objects.create(
        drip=drip, method_type="filter", field_name="username", lookup_type="startswith", field_value="contact-"
    )
    start = time.perf_counter()
    sent = drip.drip.run()
    print(f"{sent} {time.perf_counter() - start}")


if __name__ == "__main__":
    main()
