/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys made with openssl for test_port_tls_creds.c alone; they open nothing. */
#ifndef TLS_CREDS_PEM_H
#define TLS_CREDS_PEM_H

static const char pem_ca[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBWTCCAQCgAwIBAgIUCjPAYHb7kalKMINrQR2vGeqaP1owCgYIKoZIzj0EAwIw\n"
                             "EjEQMA4GA1UEAwwHdGVzdC1jYTAgFw0yNjExMjExNDIzMTZaGA8yMDY3MTIxNjE0\n"
                             "MjMxNlowEjEQMA4GA1UEAwwHdGVzdC1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
                             "A0IABF5o8vcYwsFGcfhXOw+ROmkcAq1R8JMxA1v3fZYYi+IjXpO/UZifao8en0gD\n"
                             "9uf4jIvVdz+/uMWVt3GlLw9Fof2jMjAwMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0O\n"
                             "BBYEFLmA/gHyVUhDrGMkU9pXQWtFpdCfMAoGCCqGSM49BAMCA0cAMEQCIBNL50YW\n"
                             "aTaRsIIv+t9zxTeATpdV2r769Si/7XNHEg/DAiAp4KuEW2tdmI7SYgSI5oEJJ+fA\n"
                             "iJfjgwBs87GQyaFUYw==\n"
                             "-----END CERTIFICATE-----\n";

static const char pem_constrained_ca[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhjCCAS2gAwIBAgIUNR8mQ8hw8F+WIkcm3M3jFCdPH2AwCgYIKoZIzj0EAwIw\n"
    "GTEXMBUGA1UEAwwOY29uc3RyYWluZWQtY2EwIBcNMjYxMTIxMTQyMzE2WhgPMjA2\n"
    "NzEyMTYxNDIzMTZaMBkxFzAVBgNVBAMMDmNvbnN0cmFpbmVkLWNhMFkwEwYHKoZI\n"
    "zj0CAQYIKoZIzj0DAQcDQgAEXmjy9xjCwUZx+Fc7D5E6aRwCrVHwkzEDW/d9lhiL\n"
    "4iNek79RmJ9qjx6fSAP25/iMi9V3P7+4xZW3caUvD0Wh/aNRME8wDwYDVR0TAQH/\n"
    "BAUwAwEB/zAdBgNVHR4BAf8EEzARoA8wDYILZXhhbXBsZS5jb20wHQYDVR0OBBYE\n"
    "FLmA/gHyVUhDrGMkU9pXQWtFpdCfMAoGCCqGSM49BAMCA0cAMEQCIHAFEbfDQQmK\n"
    "PgghR7DJKFoLy0/ZfftGDOcnfMBVZ23zAiAGv3/DtK2ltrY+kJ87wvHdqffblpu7\n"
    "nN1KD13jivRIGQ==\n"
    "-----END CERTIFICATE-----\n";

static const char pem_ed25519_ca[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBFTCByKADAgECAhQr8Z2qG/VDITiAb+sxZTPt0vTP4TAFBgMrZXAwEDEOMAwG\n"
    "A1UEAwwFZWQtY2EwIBcNMjYxMTIxMTQyMzE2WhgPMjA2NzEyMTYxNDIzMTZaMBAx\n"
    "DjAMBgNVBAMMBWVkLWNhMCowBQYDK2VwAyEAGIOVT4O3hoQIvE32vgF/maOzTU4z\n"
    "qyOf/96N/qZZv9SjMjAwMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFNAPJC9+\n"
    "R4lY7Xk7AlOQJ0SOhmFGMAUGAytlcANBAHnGAbQHKhTPZhoBB85C0amVI2ERIvAS\n"
    "Rn5eM+XO1FaVytbrlBlNIF7SszYWBawaXZT/wIpJYRoxIPff34FsGgM=\n"
    "-----END CERTIFICATE-----\n";

static const char pem_client[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBXDCCAQKgAwIBAgIUAc+qXggknj2tY4k0nmuwYOobk/UwCgYIKoZIzj0EAwIw\n"
    "ETEPMA0GA1UEAwwGY2xpZW50MCAXDTI2MTEyMTE0MjMxNloYDzIwNjcxMjE2MTQy\n"
    "MzE2WjARMQ8wDQYDVQQDDAZjbGllbnQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
    "AAR++h1OBsydWCwsQsvJkA62mA+xOHe06wEB1Xfw9NcuTqKdn80tK3iV58sjGavv\n"
    "yTOJEzNcIIDxhnwnMcvd+QUmozYwNDATBgNVHSUEDDAKBggrBgEFBQcDAjAdBgNV\n"
    "HQ4EFgQUGpuJkJo49xLRICh5/qLCSGPTsOMwCgYIKoZIzj0EAwIDSAAwRQIhALow\n"
    "6F4dqXo+gJngclnI2wwSE6FAZT4Id/MQYkNIVoRRAiAnQ0aFwtwkK56K3HrYXIif\n"
    "LQPQEMf1XAeNSOS10SBiDg==\n"
    "-----END CERTIFICATE-----\n";

static const char pem_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MHcCAQEEIGRakWuCcf4e3zEJbYFfplUePLKJxvQM72Pe3Q72YqUroAoGCCqGSM49\n"
                              "AwEHoUQDQgAEfvodTgbMnVgsLELLyZAOtpgPsTh3tOsBAdV38PTXLk6inZ/NLSt4\n"
                              "lefLIxmr78kziRMzXCCA8YZ8JzHL3fkFJg==\n"
                              "-----END EC PRIVATE KEY-----\n";

static const char pem_key8[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZFqRa4Jx/h7fMQlt\n"
                               "gV+mVR48sonG9AzvY97dDvZipSuhRANCAAR++h1OBsydWCwsQsvJkA62mA+xOHe0\n"
                               "6wEB1Xfw9NcuTqKdn80tK3iV58sjGavvyTOJEzNcIIDxhnwnMcvd+QUm\n"
                               "-----END PRIVATE KEY-----\n";

static const char pem_other_key[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIIBibvKMWJHq+keNSNB8N/s4daKhhTfpN03estwORcPxoAoGCCqGSM49\n"
    "AwEHoUQDQgAELEntZDERhaLZG4CTowyhybxvriIKDqm4YOAEAlN+XlgT1nJaFdM7\n"
    "Prci8mkgVJddCEQChl3SEuF5b+Nrq2TcqA==\n"
    "-----END EC PRIVATE KEY-----\n";

static const char pem_encrypted8[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhXh9tYsl+DtAICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEChKS9mdvo1+GfCuxpykPz4EgZCh\n"
    "8PZLOPIOckYnM3M+mKe+Qprf46B4wHiuqL1QhFQUSJjBPD+aUPvQ4LuhjpX6u31A\n"
    "XQ0HMtN8w7XxaOTx+W4zO8PTOw+pI7lQfBgvS4VQP9TpwavAimH5xZB9a93RLmN2\n"
    "sE1YZO0vJsK1Aap8zlwHIT30LEHgnWdfaN2CAQ9TrNK18CSr1tDww9DuZXOg9h0=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

static const char pem_encrypted1[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,4B0B667401FFCBCBE2E462604E4C3E13\n"
    "\n"
    "JOKR0GuO8UKNFa96To0SZmOxJOyL+emracHK/4z8tnhCiLAN+0zVJ6FzYx38lM5U\n"
    "0HWAKO3U5nXCPY9XpPVR6Zk5sDLFp4sTvLpnj1vpTa2yjjOcGVCcM3EX9puTAhX0\n"
    "HGC/dVfCaZ6vRkt5xFcmM3enbytFL7PVCgJI5utkyLw=\n"
    "-----END EC PRIVATE KEY-----\n";

static const char pem_rsa_client[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIC8DCCAdigAwIBAgIUe/nk3qlVH8WG8KhCU28MdK/fuKMwDQYJKoZIhvcNAQEL\n"
    "BQAwFTETMBEGA1UEAwwKcnNhLWNsaWVudDAgFw0yNjExMjExNDIzMTdaGA8yMDY3\n"
    "MTIxNjE0MjMxN1owFTETMBEGA1UEAwwKcnNhLWNsaWVudDCCASIwDQYJKoZIhvcN\n"
    "AQEBBQADggEPADCCAQoCggEBAIn0XZKzCVEq2+cLx9BqQEaGOOOT6itUZLNjolUC\n"
    "dizT1GfyNE0bLN2XbSorgMS2IIaY7e66rUG0RlR4dqPMDdgIuGCySeGoO820SUsY\n"
    "FcRJpx9auSyVsgoEwDf8ikQ1R5gIDb4QBMG0bn82SlI2raJX5rrpkXEHW6dD5XIr\n"
    "qpiaaRsV8IKKLQJJSnaWMUppYmDaCV+Av/cHTDL/A3TTHpx5zQ0g+gvP5+SHRhtH\n"
    "keYoRkl05kGe7hhcDO3tTGYdVfisLOdtcy8N4Hg4UwHh/2zHUcKIDlaifEeN819o\n"
    "2gdyidmDIKRfK7/EWB6S/k+UptT1z9JdSCxfh6nC701DyjECAwEAAaM2MDQwEwYD\n"
    "VR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0OBBYEFAVzLQDQ2fhrtx+Tv3Kw8truN67h\n"
    "MA0GCSqGSIb3DQEBCwUAA4IBAQAvFlbv2FxYtBv1KUCbKCWJd5/DiB8SiQzlH4NN\n"
    "uMXxNA04+EXPoOiveEd9OCsnVD2vw9cU/UivVMVYxnPr1YFIyxJJFJ7rCN7Tp2CR\n"
    "6JL0N2UavBLerBGr2s4g1uYU+7x26mcMztLF7zKTIVyjIrSCiJpEk4067iKj6Uqj\n"
    "nlpk4S+jP2BXFMQFTSUFdlMQRZZVQQX0Nu6WFTSisfXMx547S/dIKYPTsZnG3GXt\n"
    "ArMxK9IrtTwVmfEUdUyMyntYL/jvbzZM2AE2YXLNFlD9hsQnYqZ40MhvuwyL00V+\n"
    "uETcDLzJ6hy7PGJyX23o+PO6iBAfk9upP4OaricmjWuTMAWG\n"
    "-----END CERTIFICATE-----\n";

static const char pem_rsa_key[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEowIBAAKCAQEAifRdkrMJUSrb5wvH0GpARoY445PqK1Rks2OiVQJ2LNPUZ/I0\n"
    "TRss3ZdtKiuAxLYghpjt7rqtQbRGVHh2o8wN2Ai4YLJJ4ag7zbRJSxgVxEmnH1q5\n"
    "LJWyCgTAN/yKRDVHmAgNvhAEwbRufzZKUjatolfmuumRcQdbp0PlciuqmJppGxXw\n"
    "gootAklKdpYxSmliYNoJX4C/9wdMMv8DdNMenHnNDSD6C8/n5IdGG0eR5ihGSXTm\n"
    "QZ7uGFwM7e1MZh1V+Kws521zLw3geDhTAeH/bMdRwogOVqJ8R43zX2jaB3KJ2YMg\n"
    "pF8rv8RYHpL+T5Sm1PXP0l1ILF+HqcLvTUPKMQIDAQABAoIBAA24qwf428/hce7o\n"
    "qo6tysfY+NaV80AtDDkVi2NmM8fgp+tQ2Wfj8JH3yklb+1pVfSW2F1Bb6/ixjB9B\n"
    "vhcrqCLZNzGS+itCNvSOXo3kDuIvqzpApVNsbkF12IKZEU2YeQ8Dmg5R/I8hua3Y\n"
    "ggrsWlff41iq+6bg4vpfk/ZHppe3+qG4yXZ7KK8U/EyK2RO3BgFVrTjzGrnZAG1B\n"
    "qbu9obaKG83ZdgMZxYYbtnpKmFqH48sQpv6Rdv0gWctzFyAKNzUwt5v5pLJnyKkA\n"
    "zCxKeovD9YSiB0OVPTrK4iKqgFNyovXOyoESBxcYGt9oowZ5+81XaKXDedf7WMwu\n"
    "mgoq/0sCgYEAvwqpbjDHLpLgI0DnL5DTztsISPGKlWyQEet+Rz7lHI4wMNJ7zXGg\n"
    "YER5z2O/z/29XVH4N86FzwJoQliJKkrM8dpwAud8URDhoiXLxhkM2N9+z+pAa77g\n"
    "UQ+zwAicVssE8VMLqNf9GuANTynu8IKaghah2q6Z92ccT0My0kavIu8CgYEAuNy0\n"
    "aQ5xegRxzECxoiHjlUakT43vvPi3HSDz+1NtzbzXuaVl5DhThLlGrk61Tul88XOS\n"
    "W5NDoc1Du/teGhcFGGddLkXgfpV2/yj0HQSInT6UjESmwgvFMz+LnlD7K0lZsCZq\n"
    "QpHJZ/TlH3piVVnyVkD19V5aad4YXNg9/DPhZN8CgYEAsGQIwmwZTMBiYUqI6xs+\n"
    "5gzI3oje206sy07zfpbs9mu2xS1jD/LtEFXJXpqMPV/cW3DWzbhLRjLDzxZuN3Vv\n"
    "O5Pjvlq8JyF+I7fgKV1xxkC9lv2EU7ee6FmmLxYEPAMh4iw6ZMBgu1LKFyDxtHHy\n"
    "dVCuSvrRwGQc+HZkU1DeXlMCgYBcKKtINIsd6VlSGm50BbEPmkgP4RLDgrrHKsZ3\n"
    "ZQA4sQxa4LoLLIl2gWdbPqHk1UIUnSk5vhDZeRtre8VN/Gvt3pn1l6Bzes/4JNKO\n"
    "JNR2j9w+kXsRAg0tn2BbbMPKsKalyoDu7v8ZdF1FdB3RryXBGmGEEaXBYZeDsco1\n"
    "ESgswQKBgDupCt7dKC62LDJk4JiqoWTo00cw384RqTFwH6zFjL5uGyxRfObklb3N\n"
    "RrqsjiUZrVWO5iHTat4PJIVvQqH9hgEUQ4KvuqvxvpKowozRKfO7YPAfSX9EQaVL\n"
    "Uc6ipVScJodjrE1ZG/nb5RM8pg+iDphcktlVL9bnHtn9e7nx2osX\n"
    "-----END RSA PRIVATE KEY-----\n";

static const char pem_ed25519_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEILJlyxTJe0HgywJKRUj3T2UiXngzYgGz3TXsVJt1yzlw\n"
    "-----END PRIVATE KEY-----\n";

#endif
