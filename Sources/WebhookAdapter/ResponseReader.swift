import CLibcurl
import Engine
import Glibc
import WorkflowModel

/// What libcurl's callbacks work on while one attempt is under way: reads the answer within its limits, and looks at every
/// address before it is connected to. They all run on the thread inside `curl_easy_perform`, so nothing here is locked.
final class ResponseReader {
    /// Why the address of a socket was refused.
    private(set) var refusal: String?
    /// The stop signal ended the attempt.
    private(set) var isStopped = false
    /// The body was cut off on purpose: what was read of it counts.
    private(set) var isEnough = false

    private let url: WebhookURL
    private let stopSignal: StopSignal
    private let objection: @Sendable ([UInt8], WebhookURL) -> String?
    private var head = ResponseHead()
    private var body: [UInt8] = []

    init(
        url: WebhookURL, stopSignal: StopSignal, objection: @escaping @Sendable ([UInt8], WebhookURL) -> String?
    ) {
        self.url = url
        self.stopSignal = stopSignal
        self.objection = objection
    }

    /// The receiver's header fields would not end.
    var areHeadersEndless: Bool { head.isEndless }

    /// The answer as far as it was read; nil before its status line.
    var response: WebhookResponse? {
        head.status.map {
            WebhookResponse(
                status: $0, headers: head.fields, body: body, isBodyTruncated: isEnough,
                areHeadersTruncated: head.isTruncated)
        }
    }

    /// Makes this object the context of the handle's callbacks: borrowed, the owner of the handle keeps it.
    func install(on options: inout OptionSetter) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        options.set(CURLOPT_HEADERDATA, context)
        options.set(CURLOPT_HEADERFUNCTION, headerCallback)
        options.set(CURLOPT_WRITEDATA, context)
        options.set(CURLOPT_WRITEFUNCTION, bodyCallback)
        options.set(CURLOPT_OPENSOCKETDATA, context)
        options.set(CURLOPT_OPENSOCKETFUNCTION, socketCallback)
        options.set(CURLOPT_XFERINFODATA, context)
        options.set(CURLOPT_XFERINFOFUNCTION, progressCallback)
        options.set(CURLOPT_NOPROGRESS, 0)
    }

    // MARK: Header, body, sockets, stop

    /// Takes one header line.
    /// - Returns: whether libcurl may go on.
    fileprivate func take(headerLine line: UnsafeBufferPointer<UInt8>) -> Bool { head.take(line) }

    /// - Returns: whether libcurl may go on.
    fileprivate func take(body bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let room = WebhookResponse.bodyLimit - body.count
        body.append(contentsOf: bytes.prefix(room))
        isEnough = bytes.count > room
        return !isEnough
    }

    /// - Returns: whether that address may be connected to.
    fileprivate func permits(_ address: [UInt8]) -> Bool {
        guard let objection = objection(address, url) else { return true }
        refusal = objection
        return false
    }

    /// Whether libcurl may go on.
    fileprivate var continues: Bool {
        if stopSignal.isSet { isStopped = true }
        return !isStopped
    }
}

// The callbacks cannot throw and do not trap: each borrows its ResponseReader and calls one method of it. libcurl takes
// another count than the one it gave as the order to fail.

private func reader(_ context: UnsafeMutableRawPointer?) -> ResponseReader? {
    context.map { Unmanaged<ResponseReader>.fromOpaque($0).takeUnretainedValue() }
}

/// CURLOPT_HEADERFUNCTION(3): one line for each call.
private let headerCallback: postrider_curl_io = { line, size, count, context in
    guard let line, let reader = reader(context) else { return 0 }
    let length = size * count
    let isWelcome = line.withMemoryRebound(to: UInt8.self, capacity: length) {
        reader.take(headerLine: UnsafeBufferPointer(start: $0, count: length))
    }
    return isWelcome ? length : 0
}

/// CURLOPT_WRITEFUNCTION(3). Not zero to fail: an empty chunk is taken by returning zero.
private let bodyCallback: postrider_curl_io = { bytes, size, count, context in
    guard let reader = reader(context) else { return Int(CURL_WRITEFUNC_ERROR) }
    let length = size * count
    guard let bytes, length > 0 else { return length }
    let isWelcome = bytes.withMemoryRebound(to: UInt8.self, capacity: length) {
        reader.take(body: UnsafeBufferPointer(start: $0, count: length))
    }
    return isWelcome ? length : Int(CURL_WRITEFUNC_ERROR)
}

/// CURLOPT_OPENSOCKETFUNCTION(3): the address here is the very one that libcurl connects the socket to.
private let socketCallback: curl_opensocket_callback = { context, purpose, address in
    guard let reader = reader(context), let address, purpose == CURLSOCKTYPE_IPCXN,
        let bytes = addressBytes(address), reader.permits(bytes)
    else { return curl_socket_t(-1) }
    let kind = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
    return socket(address.pointee.family, kind, address.pointee.protocol)
}

/// The bytes of an IP address in network order; nil for anything else.
private func addressBytes(_ address: UnsafeMutablePointer<curl_sockaddr>) -> [UInt8]? {
    // The structure ends with the address, which is longer than the type of its last member says.
    guard let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) else { return nil }
    let start = UnsafeRawPointer(address) + offset
    let length = Int(address.pointee.addrlen)
    switch address.pointee.family {
    case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
        let value = start.loadUnaligned(as: sockaddr_in.self).sin_addr
        return withUnsafeBytes(of: value) { Array($0) }
    case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
        let value = start.loadUnaligned(as: sockaddr_in6.self).sin6_addr
        return withUnsafeBytes(of: value) { Array($0) }
    default: return nil
    }
}

/// CURLOPT_XFERINFOFUNCTION(3): called when something moves and at least about once a second.
private let progressCallback: postrider_curl_progress = { context, _, _, _, _ in
    reader(context)?.continues == true ? 0 : 1
}
