import Engine
import HTTPTypes
import Hummingbird
import JSONValue
import Logging
import NIOCore

/// What the framework knows beside the request itself: the connection.
package struct ConnectionContext: InitializableFromSource {
    let channel: any Channel

    /// Made by the framework for every request.
    package init(source: ApplicationRequestContextSource) { channel = source.channel }
}

/// One request on its way to an answer.
struct Exchange {
    let request: Request
    let fields: RequestFields
    let channel: any Channel
    private let deadlines: BodyDeadlines
    /// In the answer's `X-Request-Id`, in the envelope of errors, and with every log line about this request.
    let id: String
    /// The values of the path's parameters, in order.
    let parameters: [String]
    /// Whose request it is; nil for paths that need no key.
    var key: APIKey?
    /// How the key stands with its rate; nil for what is not counted.
    var standing: RequestStanding?
    /// A part of what was asked for failed here although the whole is answered: sent again, the request is no repetition.
    var deservesRepetition = false
    private(set) var isBodyRead = false
    /// The body, when it was read before its route asked for it.
    private var heldBody: ByteBuffer?
    /// The same for a file.
    private var heldUpload: ContactUpload?

    init(request: Request, channel: any Channel, deadlines: BodyDeadlines, id: String, parameters: [String]) {
        self.deadlines = deadlines
        self.request = request
        fields = RequestFields(request.headers)
        self.channel = channel
        self.id = id
        self.parameters = parameters
    }

    /// The client asked for a body to be read, and nobody did or could.
    var hasUnreadBody: Bool {
        if isBodyRead { return false }
        if let length = fields.contentLength { return length != "0" }
        return fields.transferEncoding != nil
    }

    /// Parameters of the query by name, percent-decoded; the first wins.
    func query(_ name: String) -> String? { request.uri.queryParameters[name[...]].map { String($0) } }

    // MARK: Body

    /// The connection broke, or what came over it was no HTTP. There is nobody to answer, so the framework gets the
    /// cause and deals with the connection.
    struct BrokenBody: Error {
        var cause: any Error
    }

    /// Nesting of a request's JSON: a filter as deep as filters may be, inside a step's options. What is stored of it is
    /// wrapped several times, and must stay readable.
    private static let depthLimit = 48

    /// The body as JSON.
    /// - Parameters:
    ///   - limit: bytes.
    ///   - timeout: seconds for the whole body; the connection is closed after them.
    /// - Throws: `APIError` for a body of the wrong type or size or syntax; `BrokenBody`.
    mutating func readJSON(upTo limit: Int, within timeout: Int64) async throws -> JSON {
        try checkContentType()
        let body = try await readBody(upTo: limit, within: timeout)
        do {
            return try body.withUnsafeReadableBytes { bytes in
                try bytes.withMemoryRebound(to: UInt8.self) { try JSONParser.parse($0, depthLimit: Self.depthLimit) }
            }
        } catch let failure as JSONParser.Failure {
            // The path is what the client wrote, of any length.
            let path = String(failure.path.prefix(200))
            throw APIError(
                .invalidJSON, failure.description,
                problems: path.isEmpty ? [] : [.init(field: path, message: failure.reason)])
        }
    }

    /// The body whatever its type; empty when there is none.
    mutating func readBytes(upTo limit: Int, within timeout: Int64) async throws -> [UInt8] {
        guard hasUnreadBody else { return [] }
        return Array(buffer: try await readBody(upTo: limit, within: timeout))
    }

    /// For requests whose body says nothing: there is none, or it is an object without members.
    mutating func readNoBody(upTo limit: Int, within timeout: Int64) async throws {
        // One that was read before its route asked for it is looked at all the same.
        guard hasUnreadBody || heldBody.map({ $0.readableBytes > 0 }) == true else { return }
        let body = try BodyReader(try await readJSON(upTo: limit, within: timeout), keys: [])
        try body.finish()
    }

    /// A missing type counts as JSON, because that is what the body must be.
    private func checkContentType() throws {
        try checkContentEncoding()
        guard let type = fields.contentType, type != "application/json" else { return }
        let name = type.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }.lowercased()
        guard name == "application/json" || name.hasPrefix("application/") && name.hasSuffix("+json") else {
            throw APIError(
                .unsupportedMediaType, "the body must be application/json", headers: [.accept: "application/json"])
        }
    }

    private func checkContentEncoding() throws {
        if let encoding = fields.contentEncoding, encoding.lowercased() != "identity" {
            throw APIError(
                .unsupportedMediaType, "a Content-Encoding is not understood", headers: [.acceptEncoding: "identity"])
        }
    }

    /// - Throws: `APIError` 415 for a body that does not call itself CSV in UTF-8 (RFC 7111).
    func checkCSV() throws {
        try checkContentEncoding()
        let parts = (fields.contentType ?? "").lowercased().split(separator: ";")
            .map { $0.filter { $0 != " " && $0 != "\t" && $0 != "\"" } }
        guard parts.first == "text/csv" else {
            throw APIError(.unsupportedMediaType, "the body must be text/csv", headers: [.accept: "text/csv"])
        }
        let charset = parts.first { $0.hasPrefix("charset=") }?.dropFirst(8)
        guard charset == nil || charset == "utf-8" || charset == "us-ascii" else {
            throw APIError(
                .unsupportedMediaType, "the file must be UTF-8: convert it first", headers: [.accept: "text/csv"])
        }
    }

    /// Reads a body of any size piece by piece.
    /// - Parameters:
    ///   - limit: bytes.
    ///   - timeout: seconds for the whole body; the connection is closed after them.
    /// - Throws: `APIError` for a body that is too large; `BrokenBody`; what `take` throws.
    mutating func readBody(
        upTo limit: Int, within timeout: Int64, _ take: ([UInt8]) throws -> Void
    ) async throws {
        let tooLarge = APIError(.payloadTooLarge, "the body is larger than \(limit) bytes")
        if let length = fields.contentLength.flatMap({ Int($0) }), length > limit { throw tooLarge }
        let deadline = deadlines.begin(channel, seconds: timeout)
        defer { deadlines.end(deadline) }
        var size = 0
        var pieces = request.body.makeAsyncIterator()
        while let piece = try await Self.next(&pieces) {
            size += piece.readableBytes
            guard size <= limit else { throw tooLarge }
            try take(Array(piece.readableBytesView))
        }
        isBodyRead = true
    }

    private static func next(_ pieces: inout RequestBody.AsyncIterator) async throws -> ByteBuffer? {
        do { return try await pieces.next() } catch { throw BrokenBody(cause: error) }
    }

    /// Reads the body and keeps it for the route.
    mutating func holdBody(upTo limit: Int, within timeout: Int64) async throws -> [UInt8] {
        let body = try await readBody(upTo: limit, within: timeout)
        heldBody = body
        return Array(buffer: body)
    }

    mutating func hold(_ upload: ContactUpload) { heldUpload = upload }

    mutating func takeUpload() -> ContactUpload? {
        defer { heldUpload = nil }
        return heldUpload
    }

    /// Nobody wants the file that was received.
    mutating func discardUpload() { takeUpload()?.discard() }

    private mutating func readBody(upTo limit: Int, within timeout: Int64) async throws -> ByteBuffer {
        if let heldBody { return heldBody }
        let tooLarge = APIError(.payloadTooLarge, "the body is larger than \(limit) bytes")
        if let length = fields.contentLength.flatMap({ Int($0) }), length > limit { throw tooLarge }
        let deadline = deadlines.begin(channel, seconds: timeout)
        defer { deadlines.end(deadline) }
        do {
            let body = try await request.body.collect(upTo: limit)
            isBodyRead = true
            return body
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch {
            throw BrokenBody(cause: error)
        }
    }
}
