#!/usr/bin/python3
"""A WHIP publisher on GStreamer's webrtcbin: one solid colour and one tone, until stdin closes; then DELETE.

Debian 12 has no whipsink, so the HTTP part (RFC 9725) is here. Says what happens on stdout, one JSON object a line.
"""
import argparse
import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

ENCODERS = {
    "vp8": "vp8enc deadline=1 keyframe-max-dist=60 ! rtpvp8pay pt=96 ! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bframes=0 key-int-max=60 ! video/x-h264,profile=constrained-baseline"
    " ! rtph264pay pt=102 config-interval=-1 aggregate-mode=zero-latency"
    " ! application/x-rtp,media=video,encoding-name=H264,payload=102",
}


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Publisher:
    def __init__(self, options):
        self.options = options
        self.session = None
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch(
            "webrtcbin name=rtc bundle-policy=max-bundle "
            f"videotestsrc is-live=1 pattern=solid-color foreground-color={options.color} "
            f"! video/x-raw,width=320,height=240,framerate=30/1 ! videoconvert ! {ENCODERS[options.codec]} ! rtc. "
            f"audiotestsrc is-live=1 freq={options.freq} volume=0.3 ! audioconvert ! audioresample ! opusenc "
            "! rtpopuspay pt=97 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! rtc."
        )
        self.rtc = self.pipeline.get_by_name("rtc")
        self.rtc.connect("on-negotiation-needed", self.on_negotiation_needed)
        self.rtc.connect("notify::connection-state", self.on_state)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, message: self.fail(message.parse_error()[0].message))

    def on_negotiation_needed(self, rtc):
        rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer, None))

    def on_offer(self, promise, _):
        # The offer lies within the reply: whoever lets go of that has nothing.
        self.reply = promise.get_reply()
        offer = self.reply.get_value("offer")
        text = offer.sdp.as_text()
        self.rtc.emit("set-local-description", offer, Gst.Promise.new())
        # Blocking calls do not belong into a callback of the pipeline.
        threading.Thread(target=self.post, args=(text,), daemon=True).start()

    def request(self, method, url, body=None):
        headers = {"Authorization": f"Bearer {self.options.token}", "Content-Type": "application/sdp"}
        return urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=10)

    def post(self, offer):
        try:
            response = self.request("POST", self.options.url, offer.encode())
            self.session = urllib.parse.urljoin(self.options.url, response.headers["Location"])
            answer = response.read().decode()
        except (urllib.error.URLError, TimeoutError) as error:
            body = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
            GLib.idle_add(self.fail, f"{error} {body}")
            return
        say("answered", status=response.status, location=self.session)
        GLib.idle_add(self.apply, answer)

    def apply(self, text):
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.rtc.emit("set-remote-description", answer, Gst.Promise.new())

    def on_state(self, rtc, _):
        say("state", state=rtc.get_property("connection-state").value_nick)

    def fail(self, reason):
        say("failed", reason=reason)
        self.loop.quit()

    def run(self):
        threading.Thread(target=lambda: (sys.stdin.read(), GLib.idle_add(self.loop.quit)), daemon=True).start()
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        if self.session:
            try:
                say("deleted", status=self.request("DELETE", self.session).status)
            except urllib.error.HTTPError as error:
                say("deleted", status=error.code)
        self.pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--codec", choices=ENCODERS, default="vp8")
    parser.add_argument("--color", type=lambda text: int(text, 0), default=0xFFDC1E1E, help="0xAARRGGBB")
    parser.add_argument("--freq", type=int, default=440, help="Hz")
    Gst.init(None)
    Publisher(parser.parse_args()).run()
