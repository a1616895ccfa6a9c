import Engine
import HTTPTypes
import Hummingbird
import NIOCore
import WorkflowModel

extension APIResponder {
    /// A file that came with a mail.
    func receivedFile(_ exchange: Exchange) async throws -> Response {
        let project = try authorize(exchange).projectID
        let event = try identifier(exchange, at: 0, of: "event")
        guard exchange.parameters.indices.contains(1), let number = Int(exchange.parameters[1]) else {
            throw APIError(.notFound, "there is no such attachment")
        }
        let file = try await ReceivedFiles(context: context).file(number, of: event, in: project)
        return Response(
            status: .ok,
            headers: [
                // A stranger's word for what it is must not make a browser run it in our name.
                .contentType: "application/octet-stream",
                .contentDisposition: Self.disposition(file.filename, number: number),
                .contentLength: "\(file.bytes.count)", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
                .contentSecurityPolicy: "sandbox",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes)))
    }

    /// The name in both forms of RFC 6266, without what could lead out of a folder.
    static func disposition(_ filename: String?, number: Int) -> String {
        let scalars = (filename ?? "").unicodeScalars.filter { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: false
            default: !["/", "\\", "\"", ":"].contains(scalar)
            }
        }
        var name = String(String.UnicodeScalarView(scalars)).drop { $0 == "." || $0 == " " }.prefix(100)
        if name.isEmpty { name = "attachment-\(number)" }
        let plain = name.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } ? String(name) : "attachment-\(number)"
        let encoded = name.utf8.map { byte in
            let isPlain =
                byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "-")
            return isPlain ? String(UnicodeScalar(byte)) : "%" + hex(byte)
        }
        return "attachment; filename=\"\(plain)\"; filename*=UTF-8''\(encoded.joined())"
    }

    private static func hex(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16, uppercase: true)
        return text.utf8.count == 1 ? "0" + text : text
    }
}
