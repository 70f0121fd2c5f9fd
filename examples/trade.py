"""Trades on a CoinFLEX v1 exchange: logs in, lists, watches, places, modifies, cancels, reads balances.

    feedtape exchange --no-traders        # prints the URLs and accounts
    pip install websockets ecdsa
    COINFLEX_COOKIE=... COINFLEX_PASSPHRASE=... python examples/trade.py ws://127.0.0.1:8080/v1 http://127.0.0.1:8080 1
"""

import asyncio
import base64
import hashlib
import json
import os
import sys
import urllib.request

import ecdsa
import websockets

# secp224k1, as SEC 2 (version 2.0, section 2.6.1) gives it. Its order has 225 bits.
P = 2**224 - 2**32 - 0x1A93
N = 0x010000000000000000000000000001DCE8D2EC6184CAF0A971769FB1F7
GX = 0xA1455B334DF099DF30FC28A169A467E9E47075A90F7E650EB6B7A45C
GY = 0x7E089FED7FBA344282CAFBD6F7E319F7C0B0BD59E2CA4BDB556D61A5
FIELD = ecdsa.ellipticcurve.CurveFp(P, 0, 5)
BASE = ecdsa.ellipticcurve.PointJacobi(FIELD, GX, GY, 1, N)
CURVE = ecdsa.curves.Curve("secp224k1", FIELD, BASE, (1, 3, 132, 0, 32))


def login(user, cookie, passphrase, server_nonce):
    """The Authenticate command for the nonce of the exchange's greeting."""
    user_bytes = user.to_bytes(8, "big")
    secret = int.from_bytes(hashlib.sha224(user_bytes + passphrase.encode()).digest(), "big")
    key = ecdsa.SigningKey.from_secret_exponent(secret, CURVE, hashlib.sha224)
    nonce = os.urandom(16)
    r, s = key.sign(user_bytes + server_nonce + nonce, sigencode=lambda r, s, order: (r, min(s, order - s)))
    return {
        "method": "Authenticate",
        "user_id": user,
        "cookie": cookie,
        "nonce": base64.b64encode(nonce).decode(),
        "signature": [base64.b64encode(part.to_bytes(28, "big")).decode() for part in (r, s)],
    }


class Client:
    """Sends commands and keeps replies and notices apart."""

    def __init__(self, socket):
        self.socket = socket
        self.tag = 0

    async def ask(self, command):
        """Sends a command and returns its reply; notices that come before it are printed."""
        self.tag += 1
        await self.socket.send(json.dumps({**command, "tag": self.tag}))
        while True:
            message = json.loads(await self.socket.recv())
            if "notice" in message:
                print("  notice", message)
            elif message.get("tag") == self.tag:
                if message["error_code"] != 0:
                    raise RuntimeError(f"{command['method']}: {message['error_msg']}")
                return message


def get(url):
    with urllib.request.urlopen(url) as response:
        return json.load(response)


async def trade(ws_url, rest_url, user):
    names = {asset["id"]: asset["name"] for asset in get(f"{rest_url}/assets/")}
    markets = get(f"{rest_url}/markets/")
    print("markets:", ", ".join(market["name"] for market in markets))
    market = {"base": markets[0]["base"], "counter": markets[0]["counter"]}

    async with websockets.connect(ws_url, max_size=2**24) as socket:
        welcome = json.loads(await socket.recv())
        client = Client(socket)
        cookie, passphrase = os.environ["COINFLEX_COOKIE"], os.environ["COINFLEX_PASSPHRASE"]
        await client.ask(login(user, cookie, passphrase, base64.b64decode(welcome["nonce"])))

        book = await client.ask({"method": "WatchOrders", **market, "watch": True})
        print("orders in the book:", len(book["orders"]))
        ticker = await client.ask({"method": "WatchTicker", **market, "watch": True})
        print("last price:", ticker["last"])

        # A bid far below the market: it rests.
        price = markets[0]["tick"] * 10
        order = await client.ask({"method": "PlaceOrder", **market, "quantity": 10000, "price": price, "tonce": 1})
        print("placed:", order["id"])
        changed = await client.ask({"method": "ModifyOrder", "id": order["id"], "quantity_delta": -5000})
        print("left of it:", changed["quantity"])
        print("open orders:", len((await client.ask({"method": "GetOrders"}))["orders"]))
        await client.ask({"method": "CancelOrder", "tonce": 1})

        for balance in (await client.ask({"method": "GetBalances"}))["balances"]:
            if balance["asset"] in market.values():
                print(names[balance["asset"]], balance["balance"])


if __name__ == "__main__":
    asyncio.run(trade(sys.argv[1], sys.argv[2], int(sys.argv[3])))
