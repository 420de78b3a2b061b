"""The tutorial's three addresses with Django, its sessions in its cache on Redis; `REDIS_URL` says where."""

import json
import os
import secrets

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

settings.configure(
    ALLOWED_HOSTS=["localhost"],
    SECRET_KEY=secrets.token_urlsafe(),
    ROOT_URLCONF=__name__,
    # Those that a new project begins with, without the tokens in forms, the users and the messages.
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
        }
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    SESSION_COOKIE_NAME="session_id",
    SESSION_COOKIE_AGE=15 * 60,
    # Without it a session that is only read does not slide.
    SESSION_SAVE_EVERY_REQUEST=True,
)


@require_POST
def login(request):
    request.session.cycle_key()
    request.session["user"] = json.loads(request.body)["username"]
    request.session["status"] = "active"
    return JsonResponse({"message": "Logged in successfully", "session_id": request.session.session_key})


@require_GET
def profile(request):
    if "session_id" not in request.COOKIES:
        return JsonResponse({"detail": "No session cookie found"}, status=403)
    if "user" not in request.session:
        return JsonResponse({"detail": "Session expired"}, status=404)
    data = {"user": request.session["user"], "status": request.session["status"]}
    return JsonResponse({"session_id": request.session.session_key, "session_data": data})


@require_POST
def logout(request):
    request.session.flush()
    return JsonResponse({"message": "Logged out successfully"})


urlpatterns = [path("login/", login), path("profile/", profile), path("logout/", logout)]
application = get_wsgi_application()
