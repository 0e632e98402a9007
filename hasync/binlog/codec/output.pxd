from hasync.binlog.codec.buffer cimport Buffer

cdef class Output:
    cdef readonly Buffer buffer
    cdef long[::1] runs
    cdef Py_ssize_t count
    cdef Py_ssize_t sealed
    cdef int verb
    cdef long arguments
    cdef long commands
    cdef long verbs
    cdef long[::1] tallies
    cdef Py_ssize_t tallied
    cdef Py_ssize_t sealed_tallies
    cdef list targets
    cdef dict numbers
    cdef list objects
    cdef public list moved
    cdef public set fresh
    cdef public Py_ssize_t null_keys
    cdef public Py_ssize_t reserved_keys

    cdef int into(self, int verb, long limit) except -1
    cdef int close_run(self) except -1
    cdef int tally(self, Py_ssize_t target, Py_ssize_t rows) except -1
    cdef Py_ssize_t seal(self) except -1
