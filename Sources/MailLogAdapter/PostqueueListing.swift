import Dispatch
import Engine
import Glibc
import JSONValue

/// Asks postqueue(1) for the mails in the queue. It shows those that are whole and on disk.
package final class PostqueueListing: QueueListing {
    private let words: [String]
    /// Milliseconds that a listing may take.
    private static let patience: Int64 = 5000
    private let threads = DispatchQueue(label: "mail-queue", attributes: .concurrent)

    /// - Parameters:
    ///   - program: the path of postqueue(1).
    ///   - configuration: Postfix's configuration directory; nil takes its default.
    package init(program: String, configuration: String?) {
        words = [program] + (configuration.map { ["-c", $0] } ?? []) + ["-j"]
    }

    package func queued(among wanted: [Wanted]) async -> Set<String>? {
        await withCheckedContinuation { continuation in
            threads.async { [words] in continuation.resume(returning: Self.list(words, wanted)) }
        }
    }

    private static func list(_ words: [String], _ wanted: [Wanted]) -> Set<String>? {
        guard let child = try? ChildProcess(words) else { return nil }
        let deadline = DispatchTime.now() + .milliseconds(Int(patience))
        var (found, rest): (Set<String>, [UInt8]) = ([], [])
        while true {
            let left = Int64(bitPattern: deadline.uptimeNanoseconds &- DispatchTime.now().uptimeNanoseconds) / 1_000_000
            guard left > 0, let bytes = child.read(within: Int32(left)) else { return nil }
            guard !bytes.isEmpty else { break }
            rest += bytes
            while let feed = rest.firstIndex(of: 0x0A) {
                look(rest[..<feed], for: wanted, &found)
                rest.removeFirst(feed + 1)
            }
            guard rest.count < 1 << 24 else { return nil }
        }
        // An empty queue is an empty listing; a listing that broke off proves nothing but what it shows.
        return child.end() || !found.isEmpty ? found : nil
    }

    /// A queue id may be given again when its mail is gone, so the recipient must be the same.
    private static func look(_ line: ArraySlice<UInt8>, for wanted: [Wanted], _ found: inout Set<String>) {
        guard let mail = try? JSONParser.parse(Array(line)), let id = mail["queue_id"]?.stringValue,
            mail["queue_name"]?.stringValue != "maildrop"
        else { return }
        let recipients = (mail["recipients"]?.arrayValue ?? []).compactMap {
            $0["address"]?.stringValue.map(AddressText.normal)
        }
        for wish in wanted where wish.queueID == id && recipients.contains(AddressText.normal(wish.recipient)) {
            found.insert(id)
        }
    }
}
