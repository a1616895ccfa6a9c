import Engine
import HTTPTypes
import Hummingbird
import NIOCore

extension APIResponder {
    /// A transparent GIF89a of one pixel.
    static let pixelImage: [UInt8] = [
        // Header, logical screen of 1 × 1 with a table of two colours.
        0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0x80, 0x00, 0x00,
        // Black, white.
        0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF,
        // Graphic control extension: the first colour is transparent.
        0x21, 0xF9, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00,
        // Image descriptor, one pixel of the first colour, trailer.
        0x2C, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x02, 0x02, 0x44, 0x01, 0x00, 0x3B,
    ]

    private static let pixelHeaders: HTTPFields = [
        .contentType: "image/gif",
        .cacheControl: "no-store, no-cache, must-revalidate, private, max-age=0",
        .pragma: "no-cache",
        .expires: "0",
        .xContentTypeOptions: "nosniff",
        .crossOriginResourcePolicy: "cross-origin",
        .referrerPolicy: "no-referrer",
    ]

    /// The image, always: an answer that depended on the token would tell strangers which tokens exist, and a reader
    /// would see a broken picture. The open is noted on the way and never waited for.
    func pixel(_ exchange: Exchange) -> Response {
        if configuration.trackingEnabled, exchange.request.method == .get { note(exchange) }
        return Response(
            status: .ok, headers: Self.pixelHeaders,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: Self.pixelImage)))
    }

    private func note(_ exchange: Exchange) {
        // Anything longer is no token, and need not be taken apart.
        guard let token = exchange.parameters.first, token.utf8.count <= TokenSigner.pixelTextLimit else { return }
        let client = client(of: exchange)
        Opens(context: context).note(
            Opens.Fetch(
                token: token, userAgent: client.userAgent, address: client.address, wantsPrivacy: client.wantsPrivacy))
    }

    /// Who fetches something.
    func client(of exchange: Exchange) -> Opens.Client {
        let headers = exchange.request.headers
        return Opens.Client(
            userAgent: headers[.userAgent] ?? "", address: clientAddress(exchange),
            wantsPrivacy: headers[.globalPrivacyControl] == "1" || headers[.doNotTrack] == "1")
    }

    /// The address that the connection comes from, or that our proxy wrote: each proxy appends the address it saw, so
    /// only the last one is not the client's own invention.
    func clientAddress(_ exchange: Exchange) -> String {
        if configuration.trustedProxy,
            let last = exchange.request.headers[values: .forwardedFor].last?.split(separator: ",").last
        {
            return last.filter { $0 != " " && $0 != "\t" }
        }
        return exchange.channel.remoteAddress?.ipAddress ?? ""
    }
}
