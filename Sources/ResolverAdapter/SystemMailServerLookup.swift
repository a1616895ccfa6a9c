import CResolver
import Engine
import Foundation
import Synchronization

/// Asks the DNS with the system's resolver, each question on a thread of its own: the resolver's calls block.
package final class SystemMailServerLookup: MailServerLookup {
    /// Questions at the same time; who comes while so many are open hears that nobody knows.
    private static let limit = 16

    private let timeout: Int32
    private let server: NameServer?
    private let open = Mutex(0)

    /// - Parameters:
    ///   - timeout: seconds for one question to one name server, at least 1.
    ///   - server: nil asks those of the system.
    package init(timeout: Int64, server: NameServer? = nil) {
        self.timeout = Int32(clamping: max(1, timeout))
        self.server = server
    }

    package func hasMailServer(_ domain: String) async -> Bool? {
        let isFree = open.withLock { open in
            guard open < Self.limit else { return false }
            open += 1
            return true
        }
        guard isFree else { return nil }
        defer { open.withLock { $0 -= 1 } }
        let (timeout, server) = (timeout, server)
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: Self.ask(domain, timeout: timeout, server: server))
            }
        }
    }

    private static func ask(_ domain: String, timeout: Int32, server: NameServer?) -> Bool? {
        func records(_ type: ns_type) -> postrider_records {
            postrider_query(domain, Int32(type.rawValue), timeout, server?.networkAddress ?? 0, server?.port ?? 0)
        }
        switch records(ns_t_mx) {
        case POSTRIDER_RECORDS_SOME: return true
        case POSTRIDER_RECORDS_NULL, POSTRIDER_RECORDS_NO_DOMAIN: return false
        case POSTRIDER_RECORDS_NONE: break
        default: return nil
        }
        // Without an MX record the domain's own address takes its mail.
        let addresses = [records(ns_t_a), records(ns_t_aaaa)]
        if addresses.contains(POSTRIDER_RECORDS_SOME) { return true }
        return addresses.contains(POSTRIDER_RECORDS_UNKNOWN) ? nil : false
    }
}
