"""The tutorial's client: signs in, looks, signs out, looks again."""

import sys

import requests

base_url = sys.argv[1]

response = requests.post(f"{base_url}/login/", json={"username": "abdullah"})
print("Login Response:", response.json())

session_cookie = response.cookies.get("session_id")

response = requests.get(f"{base_url}/profile/", cookies={"session_id": session_cookie})
print("Access Profile Response:", response.json())

response = requests.post(f"{base_url}/logout/", cookies={"session_id": session_cookie})
print("Logout Response:", response.json())

response = requests.get(f"{base_url}/profile/", cookies={"session_id": session_cookie})
print("Access Profile After Logout Response:", response.text)
