"""The tutorial's server: FastAPI and Redis, with a client for plain Redis in the place of Upstash's REST client."""

import os
import uuid

import redis
from fastapi import Cookie, FastAPI, HTTPException, Response
from pydantic import BaseModel

IDLE_SECONDS = 15 * 60

app = FastAPI()
store = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


class Credentials(BaseModel):
    username: str


def key(session_id: str) -> str:
    return f"session:{session_id}"


@app.post("/login/")
async def login(credentials: Credentials, response: Response):
    session_id = str(uuid.uuid4())
    store.hset(key(session_id), mapping={"user": credentials.username, "status": "active"})
    store.expire(key(session_id), IDLE_SECONDS)
    response.set_cookie("session_id", session_id, httponly=True)
    return {"message": "Logged in successfully", "session_id": session_id}


@app.get("/profile/")
async def profile(session_id: str | None = Cookie(None)):
    if not session_id:
        raise HTTPException(403, "No session cookie found")
    data = store.hgetall(key(session_id))
    if not data:
        raise HTTPException(404, "Session expired")
    store.expire(key(session_id), IDLE_SECONDS)
    return {"session_id": session_id, "session_data": data}


@app.post("/logout/")
async def logout(response: Response, session_id: str | None = Cookie(None)):
    if session_id:
        store.delete(key(session_id))
        response.delete_cookie("session_id")
    return {"message": "Logged out successfully"}
