import Glibc
import Synchronization

@testable import ScannerAdapter

/// A server on a Unix socket that reads what it is sent and says what it was told to, for one test.
final class ScriptedScanner: Sendable {
    /// How it behaves with each connection.
    enum Script: Sendable {
        /// Reads everything up to the end of the message, says this and closes.
        case answer([UInt8])
        /// Says it at once and closes without reading.
        case interrupt([UInt8])
        /// Takes the connection and neither reads nor says anything.
        case silent
        /// Says this over and over until the other side has enough.
        case endless([UInt8])
    }

    let path: String
    private let directory: String
    private let listener: Int32
    private let received = Mutex<[UInt8]>([])
    private let open = Mutex<[Int32]>([])

    /// What it was sent over all connections.
    var bytes: [UInt8] { received.withLock { $0 } }

    /// - Parameter isComplete: whether what was read so far is a whole request.
    init(_ script: Script, isComplete: @escaping @Sendable ([UInt8]) -> Bool) throws {
        var template = Array("/tmp/scanner-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ScannerFailure("no directory") }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        path = directory + "/s"
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) == 0 }
        }
        guard isBound, listen(listener, 16) == 0 else { throw ScannerFailure("no listener") }
        let descriptor = listener
        let serve: @Sendable (Int32) -> Void = { [weak self] connection in
            guard let self else {
                close(connection)
                return
            }
            self.serve(connection, script, isComplete)
        }
        Task.detached {
            _ = await ScannerThread.run {
                while true {
                    let connection = accept(descriptor, nil, nil)
                    guard connection >= 0 else {
                        // Here and not by the owner: as soon as it is closed, its number is another server's.
                        close(descriptor)
                        return
                    }
                    serve(connection)
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        for connection in open.withLock({ $0 }) { close(connection) }
        unlink(path)
        rmdir(directory)
    }

    private func serve(_ connection: Int32, _ script: Script, _ isComplete: ([UInt8]) -> Bool) {
        switch script {
        case .silent:
            open.withLock { $0.append(connection) }
            return
        case .interrupt(let bytes): say(bytes, connection)
        case .answer(let bytes):
            var request: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while !isComplete(request) {
                let count = recv(connection, &buffer, buffer.count, 0)
                guard count > 0 else { break }
                request += buffer[..<count]
            }
            received.withLock { $0 += request }
            say(bytes, connection)
        case .endless(let bytes):
            while say(bytes, connection) {}
        }
        close(connection)
    }

    @discardableResult
    private func say(_ bytes: [UInt8], _ connection: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let rest = bytes[sent...]
            let count = rest.withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
