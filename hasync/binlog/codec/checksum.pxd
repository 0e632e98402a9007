cdef unsigned int crc32(bytes data, Py_ssize_t start, Py_ssize_t end) except? 0xFFFFFFFF
