import Glibc

/// Plain threads: what they do blocks, and must take no thread of the cooperative pool away from everybody else.
enum MilterThread {
    /// Starts a thread that ends with its body.
    static func start(_ body: @escaping @Sendable () -> Void) throws(MilterError) {
        let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
        defer { attributes.deallocate() }
        pthread_attr_init(attributes)
        defer { pthread_attr_destroy(attributes) }
        pthread_attr_setstacksize(attributes, stackSize)
        pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let retained = Unmanaged.passRetained(Work(body))  // +1
        let failure = pthread_create(
            &thread, attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()  // -1
                return nil
            }, retained.toOpaque())
        guard failure == 0 else {
            retained.release()  // -1: the thread that would have taken it does not exist
            throw .system("pthread_create(3)", about: "a thread of the milter", errno: failure)
        }
    }

    /// Of 8 MB stacks the C library would keep five for the next threads, and have every further one made and taken down with its pages:
    /// it keeps 40 MB (nptl). What recurses while mail is read stays far below.
    private static let stackSize = 2 << 20

    private final class Work {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
