#!/usr/bin/python3
"""An RTSP camera for tests, made of GStreamer: prints its port, then serves until it is ended.

/h264 /h265 /mjpeg with audio (PCMU, AAC, Opus, G726, L16) by name, e.g. /h264-aac; /h264 has no sound.
Arguments: the transports, "tcp,udp" unless one is named; then "digest" or "basic" to ask for user "viewer" with password
"pass:w@rd"; "port=8554" for that port instead of a free one. RECORD is taken at /record.
"""
import sys
import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

Gst.init(None)

VIDEO = {
    "h264": "x264enc tune=zerolatency key-int-max=15 ! rtph264pay config-interval=-1 name=pay0 pt=96",
    "h265": "x265enc tune=zerolatency key-int-max=15 speed-preset=ultrafast ! rtph265pay config-interval=-1 name=pay0 pt=96",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
}
AUDIO = {
    "pcmu": "audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0",
    "pcma": "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8",
    "aac": "audio/x-raw,rate=44100,channels=2 ! avenc_aac ! rtpmp4gpay name=pay1 pt=97",
    "opus": "audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97",
    "g726": "audio/x-raw,rate=8000,channels=1 ! avenc_g726 bitrate=32000 ! rtpg726pay force-aal2=false name=pay1 pt=97",
    "l16": "audio/x-raw,rate=16000,channels=1 ! rtpL16pay name=pay1 pt=97",
}
FED = (
    "udpsrc address=127.0.0.1 port={port} caps=video/mpegts ! tsparse set-timestamps=true ! tsdemux name=fed "
    "fed. ! queue ! {video}parse ! rtp{video}pay config-interval=-1 name=pay0 pt=96 "
    "fed. ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97"
)
SOURCE = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1,format=I420 ! "
TONE = "audiotestsrc is-live=true freq=440 ! audioconvert ! audioresample ! "


def main():
    transports = sys.argv[1] if len(sys.argv) > 1 else "tcp,udp"
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(next((arg[5:] for arg in sys.argv if arg.startswith("port=")), "0"))
    protocols = {"tcp": GstRtsp.RTSPLowerTrans.TCP, "udp": GstRtsp.RTSPLowerTrans.UDP}
    allowed = GstRtsp.RTSPLowerTrans(sum(int(protocols[name]) for name in transports.split(",")))

    role = "anonymous"
    if "digest" in sys.argv or "basic" in sys.argv:
        role = "viewer"
        auth = GstRtspServer.RTSPAuth()
        viewer = GstRtspServer.RTSPToken()
        viewer.set_string("media.factory.role", role)
        if "basic" in sys.argv:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic("viewer", "pass:w@rd"), viewer)
        else:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest("viewer", "pass:w@rd", viewer)
        server.set_auth(auth)
    grants = Gst.Structure.new_from_string(f"{role}, media.factory.access=true, media.factory.construct=true")

    mounts = server.get_mount_points()

    def mount(name, launch):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        factory.set_shared(True)
        factory.set_protocols(allowed)
        factory.add_role_from_structure(grants)
        mounts.add_factory(f"/{name}", factory)

    for video_name, video in VIDEO.items():
        for audio_name, audio in [(None, None), *AUDIO.items()]:
            name = f"{video_name}-{audio_name}" if audio_name else video_name
            mount(name, SOURCE + video + (f" {TONE}{audio}" if audio else ""))
    for video, port in (arg.split("@") for arg in sys.argv if "@" in arg):
        mount(f"fed-{video}", FED.format(video=video, port=port))
    recorder = GstRtspServer.RTSPMediaFactory()
    recorder.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    recorder.set_launch("( rtph264depay name=depay0 ! fakesink sync=false )")
    recorder.add_role_from_structure(grants)
    mounts.add_factory("/record", recorder)
    server.attach(None)
    print(f"listening on {server.get_bound_port()}", flush=True)
    GLib.MainLoop().run()


main()
